import type { Json } from './types';

/** `lr = 0.1` a line, as JSON where it reads as JSON (or Python's None, True, False), else as text. */
export function pairs(text: string): { values: Record<string, Json>; wrong: string | null } {
  const values: Record<string, Json> = {};
  for (const line of text.split('\n').map(each => each.trim())) {
    if (!line || line.startsWith('#')) {
      continue;
    }
    const at = line.indexOf('=');
    const name = line.slice(0, Math.max(0, at)).trim();
    if (at < 1 || !/^[^\s=]+$/.test(name) || name in values) {
      return { values, wrong: line };
    }
    values[name] = literal(line.slice(at + 1).trim());
  }
  return { values, wrong: null };
}

function literal(text: string): Json {
  const words: Record<string, Json> = { None: null, True: true, False: false };
  if (text in words) {
    return words[text];
  }
  try {
    return JSON.parse(text.startsWith("'") ? text.replace(/^'(.*)'$/, '"$1"') : text) as Json;
  } catch {
    return text;
  }
}
