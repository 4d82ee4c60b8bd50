/**
 * A screen of its own in the terminal, written over again and again, and keys that end it. What was there before is
 * there again afterwards.
 */
export interface LiveScreen {
  draw(lines: readonly string[]): void;
  /** Resolves when q or Ctrl-C was pressed. */
  readonly quit: Promise<void>;
  readonly rows: () => number;
  close(): void;
}

const ENTER = '\u001B[?1049h\u001B[?25l';
const LEAVE = '\u001B[?25h\u001B[?1049l';
// Without line wrap: a line that is too long is cut by the terminal itself.
const BEGIN_FRAME = '\u001B[?7l\u001B[H';
const END_FRAME = '\u001B[J\u001B[?7h';
const CLEAR_TO_END_OF_LINE = '\u001B[K';
const CTRL_C = '\u0003';

export function openLiveScreen(): LiveScreen {
  const { stdin, stdout } = process;
  const { promise: quit, resolve } = Promise.withResolvers<void>();
  // In raw mode Ctrl-C is a key like any other.
  stdin.setRawMode?.(true);
  const onKey = (keys: Buffer) => {
    const text = keys.toString();
    if (text.includes('q') || text.includes(CTRL_C)) resolve();
  };
  stdin.on('data', onKey);
  stdout.write(ENTER);
  return {
    quit,
    rows: () => stdout.rows || 24,
    draw(lines) {
      const frame = lines.map((line) => line + CLEAR_TO_END_OF_LINE).join('\r\n');
      stdout.write(BEGIN_FRAME + frame + END_FRAME);
    },
    close() {
      stdin.off('data', onKey);
      stdin.setRawMode?.(false);
      stdin.pause();
      stdout.write(LEAVE);
    },
  };
}
