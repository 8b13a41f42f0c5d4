import type { IChip } from '../model/chips';
import type { IconSheet } from './icons';

/** A chip's node, drawn by hand: there is one for every cell of a step. */
export function createChip(): HTMLButtonElement {
  const node = document.createElement('button');
  node.type = 'button';
  node.tabIndex = -1;
  return node;
}

/** Make the node say what the chip says. */
export function drawChip(node: HTMLButtonElement, chip: IChip, icons: IconSheet | null): void {
  const classes = ['jk-Chip'];
  const flags: [boolean, string][] = [
    [chip.first, 'jk-mod-first'],
    [chip.setup, 'jk-mod-setup'],
    [chip.severity !== null, `jk-mod-${chip.severity}`],
    [chip.light !== null, `jk-mod-${chip.light}`]
  ];
  flags.forEach(([on, name]) => on && classes.push(name));
  node.className = classes.join(' ');
  node.style.setProperty('--jk-turn', String(chip.order));
  node.dataset.step = chip.step;
  node.dataset.state = chip.state ?? '';
  node.title = chip.label;
  node.setAttribute('aria-label', chip.label.replace(/\n/g, '. '));
  node.replaceChildren(span('jk-Chip-name', chip.text), ...runParts(chip, icons));
}

function runParts(chip: IChip, icons: IconSheet | null): Node[] {
  if (!chip.state) {
    return [];
  }
  const line = span('jk-Chip-run', '');
  const icon = chip.cached ? icons?.cached() : icons?.state(chip.state);
  if (icon) {
    line.append(icon);
  }
  if (chip.time) {
    line.append(span('jk-Chip-time', chip.time));
  }
  return [line];
}

function span(className: string, text: string): HTMLSpanElement {
  const node = document.createElement('span');
  node.className = className;
  node.textContent = text;
  return node;
}
