import type { IChip, Light } from '../model/chips';
import type { IconSheet } from './icons';

/** A cell's margin: the rail of its step, and the chip on it. Drawn by hand, as there may be a thousand. */
export class Margin {
  constructor() {
    this._button.type = 'button';
    this._button.className = 'jk-Chip';
    this._button.tabIndex = -1;
    this.node.append(this._button);
  }

  readonly node = document.createElement('div');

  /** Whether the tab key stops here: only at the active cell, so that tabbing stays short. */
  set reachable(value: boolean) {
    const index = value ? 0 : -1;
    if (this._button.tabIndex !== index) {
      this._button.tabIndex = index;
    }
  }

  draw(chip: IChip, icons: IconSheet | null): void {
    const { node, _button: button } = this;
    const flags: [boolean, string][] = [
      [chip.first, 'jk-mod-first'],
      [chip.setup, 'jk-mod-setup']
    ];
    node.className = ['jk-Gutter', ...flags.filter(([on]) => on).map(([, name]) => name)].join(' ');
    this._light = null;
    node.style.setProperty('--jk-turn', String(chip.order));
    button.dataset.step = chip.step;
    button.dataset.state = chip.state ?? '';
    button.title = chip.title;
    button.setAttribute('aria-label', chip.label);
    button.replaceChildren(span('jk-Chip-name', chip.text), ...runParts(chip, icons));
  }

  /** Let it stand out or step back, by how it stands to the step under the pointer. */
  set light(light: Light) {
    if (light !== this._light) {
      if (this._light) {
        this.node.classList.remove(`jk-mod-${this._light}`);
      }
      if (light) {
        this.node.classList.add(`jk-mod-${light}`);
      }
      this._light = light;
    }
  }

  private _light: Light = null;
  private readonly _button = document.createElement('button');
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
