/**
 * The colours, held by palette.test.ts to WCAG AA: text 4.5 to 1, what is drawn 3 to 1, against every surface that it
 * lies on. Outcomes are blue, orange and crimson, which people with any common colour blindness tell apart, and never
 * shown by colour alone.
 */
export interface Palette {
  readonly background: string;
  readonly surface: string;
  readonly raised: string;
  readonly text: string;
  readonly muted: string;
  readonly border: string;
  /** Of controls: what they are drawn with. */
  readonly edge: string;
  readonly accent: string;
  readonly onAccent: string;
  readonly danger: string;
  readonly onDanger: string;
  readonly delivered: string;
  readonly bounced: string;
  readonly error: string;
  readonly custom: readonly string[];
}

export const PALETTES: Readonly<Record<'light' | 'dark', Palette>> = {
  light: {
    background: '#f4f6f9',
    surface: '#ffffff',
    raised: '#eaeef4',
    text: '#1a202b',
    muted: '#535e70',
    border: '#d8dee8',
    edge: '#79859a',
    accent: '#0f5fa6',
    onAccent: '#ffffff',
    danger: '#a81b3c',
    onDanger: '#ffffff',
    delivered: '#1a6fb8',
    bounced: '#b86200',
    error: '#b3204d',
    custom: ['#5f4bbd', '#0d7680', '#8c3f93', '#4d6b0e', '#6c5a48', '#3d5a80'],
  },
  dark: {
    background: '#11151c',
    surface: '#191f29',
    raised: '#242c39',
    text: '#e8ecf2',
    muted: '#a6b0c0',
    border: '#303a49',
    edge: '#7a879b',
    accent: '#82b9f5',
    onAccent: '#0c1a2a',
    danger: '#ff8fa6',
    onDanger: '#330a15',
    delivered: '#5fabf0',
    bounced: '#eb9c4a',
    error: '#f76d8e',
    custom: ['#b1a3ff', '#5cc5cf', '#de93e4', '#aac65a', '#cbb49d', '#9db7d9'],
  },
};
