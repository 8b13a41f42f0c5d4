/** A line in three: before what is wrong, the word that is wrong, and what follows. Without a place none is wrong. */
export function underlined(line: string, position: number | null): [string, string, string] {
  if (position === null || position < 0 || position > line.length) {
    return [line, '', ''];
  }
  const word = /^(?:[\p{L}\p{N}_.]+|.)/u.exec(line.slice(position))?.[0] ?? ' ';
  return [line.slice(0, position), word, line.slice(position + word.length)];
}
