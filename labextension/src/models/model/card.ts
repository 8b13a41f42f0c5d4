/** The level that the first headings of a card get: below those of the view around it. */
const TOP = 3;
const FENCE = /^ {0,3}(`{3,}|~{3,})/;
const HEADING = /^ {0,3}(#{1,6})(?=\s)/;

/** Of a card what is drawn below a view's own headings: without its title, and as much deeper as need be. */
export function cardText(markdown: string, title: string): string {
  const lines = untitled(markdown.split('\n'), title);
  const code = inCode(lines);
  const levels = lines.map((line, at) => (code[at] ? 0 : (HEADING.exec(line)?.[1].length ?? 0)));
  const deeper = Math.max(0, TOP - Math.min(...levels.filter(Boolean), TOP));
  return lines
    .map((line, at) =>
      levels[at]
        ? '#'.repeat(Math.min(6, levels[at] + deeper)) + line.trimStart().slice(levels[at])
        : line
    )
    .join('\n')
    .replace(/^\n+/, '');
}

function untitled(lines: readonly string[], title: string): readonly string[] {
  const is = title && lines[0]?.replace(/^#\s+/, '').trim() === title;
  return is ? lines.slice(1) : lines;
}

/** Which lines are code, or begin or end it. */
function inCode(lines: readonly string[]): boolean[] {
  let fence = '';
  return lines.map(line => {
    const mark = FENCE.exec(line)?.[1];
    if (mark && (!fence || (mark[0] === fence[0] && mark.length >= fence.length))) {
      fence = fence ? '' : mark;
      return true;
    }
    return Boolean(fence);
  });
}
