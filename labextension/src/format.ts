/** Numbers, times and sizes as people read them: short, with their unit. */

/** `0.42 s`, `12 s`, `3 min 20 s`, `2 h 05 min`, `3 d 4 h`. */
export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) {
    return '–';
  }
  const s = Math.max(0, seconds);
  if (s < 0.0095) {
    return `${(s * 1000).toFixed(s < 0.001 ? 1 : 0)} ms`;
  }
  if (s < 10) {
    return `${trimZeros(s.toFixed(s < 1 ? 2 : 1))} s`;
  }
  if (s < 59.5) {
    return `${Math.round(s)} s`;
  }
  const whole = Math.round(s);
  if (whole < 3600) {
    return `${Math.floor(whole / 60)} min ${pad(whole % 60)} s`;
  }
  if (whole < 86400) {
    return `${Math.floor(whole / 3600)} h ${pad(Math.floor((whole % 3600) / 60))} min`;
  }
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

/** A duration that ticks: whole seconds, `m:ss` from a minute on, so that its width stays still. */
export function clock(seconds: number): string {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) {
    return `${s} s`;
  }
  const h = Math.floor(s / 3600);
  const m = Math.floor((s % 3600) / 60);
  return h ? `${h}:${pad(m)}:${pad(s % 60)}` : `${m}:${pad(s % 60)}`;
}

/** `now`, `5 min ago`, `in 3 hr`, `yesterday`; in the language of the page. */
export function relative(time: string | number | null | undefined, now = Date.now()): string {
  // English abbreviates with full stops ("5 min. ago"), which only makes noise in a list.
  return inWords(time, now).replace(/(\p{L})\.(?=\s|$)/u, '$1');
}

function inWords(time: string | number | null | undefined, now: number): string {
  const format = new Intl.RelativeTimeFormat(locale(), { numeric: 'auto', style: 'short' });
  const at = millis(time);
  if (at === null) {
    return '–';
  }
  const seconds = (at - now) / 1000;
  const size = Math.abs(seconds);
  if (size < 45) {
    return seconds > 5 ? format.format(Math.round(seconds), 'second') : format.format(0, 'second');
  }
  if (size < 3600) {
    return format.format(Math.sign(seconds) * Math.max(1, Math.round(size / 60)), 'minute');
  }
  if (size < 86400) {
    return format.format(Math.sign(seconds) * Math.round(size / 3600), 'hour');
  }
  if (size < 30 * 86400) {
    return format.format(Math.sign(seconds) * Math.round(size / 86400), 'day');
  }
  return new Date(at).toLocaleDateString(locale(), {
    year: 'numeric',
    month: 'short',
    day: 'numeric'
  });
}

/** The exact local time, for hover. */
export function exact(time: string | number | null | undefined): string {
  const at = millis(time);
  if (at === null) {
    return '';
  }
  return new Date(at).toLocaleString(locale(), { dateStyle: 'medium', timeStyle: 'medium' });
}

/** `512 B`, `1.4 KB`, `2.3 GB`: powers of 1000, as file managers show them. */
export function bytes(size: number | null | undefined): string {
  if (size === null || size === undefined || !Number.isFinite(size)) {
    return '–';
  }
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  const [value, unit] = scaled(size, 1000);
  const digits = unit === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${size < 0 ? '-' : ''}${trimZeros(value.toFixed(digits))} ${units[unit]}`;
}

/** A size as a number below `base`, and how often it was divided by that: five times at most. */
function scaled(size: number, base: number): [value: number, unit: number] {
  let value = Math.abs(size);
  let unit = 0;
  while (value >= base - 0.5 && unit < 5) {
    value /= base;
    unit += 1;
  }
  return [value, unit];
}

/** `512Mi`, `2.5Gi`: powers of 1024, as quotas and requests of a cluster are written. */
export function quantity(size: number): string {
  const units = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi'];
  const [value, unit] = scaled(size, 1024);
  return `${size < 0 ? '-' : ''}${trimZeros(value.toFixed(value >= 10 ? 1 : 2))}${units[unit]}`;
}

/** A measured number with four significant digits, grouped thousands, exponent only where needed. */
export function number(value: number | null | undefined): string {
  if (value === null || value === undefined) {
    return '–';
  }
  if (!Number.isFinite(value)) {
    return Number.isNaN(value) ? 'NaN' : value > 0 ? '∞' : '-∞';
  }
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e9)) {
    return value.toExponential(3).replace(/\.?0+e/, 'e');
  }
  if (Number.isInteger(value)) {
    return value.toLocaleString(locale());
  }
  return value.toLocaleString(locale(), { maximumSignificantDigits: size >= 1000 ? 6 : 4 });
}

export function percent(share: number): string {
  return `${Math.round(Math.min(1, Math.max(0, share)) * 100)} %`;
}

/** Milliseconds since 1970, or null if it is no time. */
export function millis(time: string | number | null | undefined): number | null {
  if (time === null || time === undefined || time === '') {
    return null;
  }
  const at = typeof time === 'number' ? time : Date.parse(time);
  return Number.isNaN(at) ? null : at;
}

/** Seconds between two times; the end defaults to now. */
export function elapsed(
  start: string | null | undefined,
  end?: string | null,
  now = Date.now()
): number | null {
  const from = millis(start);
  if (from === null) {
    return null;
  }
  return Math.max(0, ((millis(end) ?? now) - from) / 1000);
}

function pad(value: number): string {
  return String(value).padStart(2, '0');
}

function trimZeros(text: string): string {
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

function locale(): string | undefined {
  const page = typeof document === 'undefined' ? 'en' : document.documentElement.lang;
  return page || undefined;
}
