/** Lines kept; older ones make room, the download has them all. */
export const MOST_LINES = 200_000;
/** Longer lines are cut on screen: one line of a megabyte would freeze the page. */
const MOST_CHARACTERS = 4_000;

// eslint-disable-next-line no-control-regex
const ANSI = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007]*(?:\u0007|\u001b\\)|[@-Z\\-_])/g;
const ERROR = /\b(?:error|exception|fatal|critical)\b|^Traceback |\w(?:Error|Exception)\b/i;

/** The text of a log as lines, fed in pieces that may end anywhere. */
export class LogBuffer {
  constructor(private readonly _most = MOST_LINES) {}

  /** How many lines were dropped from the front. */
  get dropped(): number {
    return this._dropped;
  }

  get count(): number {
    return this._lines.length - this._start + (this._open ? 1 : 0);
  }

  line(index: number): string {
    return this._lines[this._start + index] ?? this._open;
  }

  append(text: string): void {
    const parts = (this._open + text).split('\n');
    this._open = settle(parts.pop() ?? '', false);
    for (const part of parts) {
      this._lines.push(settle(part, true));
    }
    const excess = this._lines.length - this._start - this._most;
    if (excess > 0) {
      this._dropped += excess;
      this._start += excess;
      if (this._start > this._most / 4) {
        this._lines = this._lines.slice(this._start);
        this._start = 0;
      }
    }
  }

  clear(): void {
    this._lines = [];
    this._start = 0;
    this._open = '';
    this._dropped = 0;
  }

  /** Indexes of lines that contain the text, ignoring case. */
  search(text: string): number[] {
    const wanted = text.toLocaleLowerCase();
    const found: number[] = [];
    if (wanted) {
      for (let i = 0; i < this.count; i++) {
        if (this.line(i).toLocaleLowerCase().includes(wanted)) {
          found.push(i);
        }
      }
    }
    return found;
  }

  /** Where the last error begins: its traceback if it has one. -1 if there is none. */
  lastError(): number {
    for (let i = this.count - 1; i >= 0; i--) {
      if (ERROR.test(this.line(i))) {
        for (let j = i; j >= Math.max(0, i - 400); j--) {
          if (this.line(j).startsWith('Traceback ')) {
            return j;
          }
        }
        return i;
      }
    }
    return -1;
  }

  isError(index: number): boolean {
    return ERROR.test(this.line(index));
  }

  private _lines: string[] = [];
  private _start = 0;
  private _open = '';
  private _dropped = 0;
}

/** What a terminal would show: a carriage return writes the line anew; colours are left out. */
function settle(line: string, whole: boolean): string {
  let text = line.endsWith('\r') && whole ? line.slice(0, -1) : line;
  const at = text.lastIndexOf('\r', whole ? undefined : text.length - 2);
  if (at >= 0) {
    text = text.slice(at + 1);
  }
  if (!whole) {
    return text;
  }
  text = text.includes('\u001b') ? text.replace(ANSI, '') : text;
  return text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS)}…` : text;
}
