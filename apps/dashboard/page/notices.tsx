/** What just happened, told to eyes and screen readers alike. */
import { useEffect, useState } from 'preact/hooks';

interface Notice {
  readonly text: string;
  readonly failed: boolean;
}

const SHOWN_MS = 8_000;

let show: (notice: Notice | undefined) => void = () => undefined;

export function tell(text: string): void {
  show({ text, failed: false });
}

export function tellFailure(error: unknown): void {
  show({ text: (error as Error).message, failed: true });
}

export function Notices() {
  const [notice, setNotice] = useState<Notice>();
  useEffect(() => {
    show = setNotice;
  }, []);
  useEffect(() => {
    if (notice === undefined || notice.failed) return;
    const timer = setTimeout(() => setNotice(undefined), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [notice]);
  return (
    <div class="notices" role="status" aria-live="polite">
      {notice !== undefined && (
        <div class={notice.failed ? 'notice failed' : 'notice'}>
          <span>{notice.text}</span>
          <button type="button" class="quiet" aria-label="Dismiss" onClick={() => setNotice(undefined)}>
            ×
          </button>
        </div>
      )}
    </div>
  );
}
