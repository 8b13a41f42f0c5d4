import type { ILayoutRestorer, JupyterFrontEnd } from '@jupyterlab/application';
import { MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import { ReactWidget } from '@jupyterlab/ui-components';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import type { Message } from '@lumino/messaging';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';
import type { Widget } from '@lumino/widgets';
import * as React from 'react';

import { compareIcon, kubeflowIcon } from '../icons';
import type { IKubeflow } from '../tokens';
import { Boundary } from '../ui/boundary';
import { KubeflowProvider, SeenProvider } from '../ui/context';

/** A view in the main area: a region with a name, drawn with the shared services. */
export abstract class View extends ReactWidget {
  constructor(
    protected readonly kubeflow: IKubeflow,
    id: string,
    label: string
  ) {
    super();
    this.id = id;
    this.addClass('jk-View');
    this.title.label = label;
    this.title.closable = true;
    this.title.icon = kubeflowIcon;
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', label);
    this.node.tabIndex = -1;
  }

  /** Emitted when what is to be restored changed. */
  get placeChanged(): ISignal<this, void> {
    return this._placeChanged;
  }

  protected abstract body(): JSX.Element;

  protected render(): JSX.Element {
    return (
      <KubeflowProvider value={this.kubeflow}>
        <SeenProvider value={this.isVisible}>
          <Boundary>{this.body()}</Boundary>
        </SeenProvider>
      </KubeflowProvider>
    );
  }

  protected moved(): void {
    this._placeChanged.emit();
    this.update();
  }

  protected onAfterShow(msg: Message): void {
    super.onAfterShow(msg);
    this.update();
  }

  protected onAfterHide(msg: Message): void {
    super.onAfterHide(msg);
    this.update();
  }

  protected onActivateRequest(): void {
    const inside = this.node.contains(document.activeElement);
    if (!inside) {
      this.node.focus({ preventScroll: true });
    }
  }

  private _placeChanged = new Signal<this, void>(this);
}

/** A view of one resource, which remembers where in it one was: a tab, a rank, a trial. */
export abstract class ResourceView<
  P extends ReadonlyPartialJSONObject = ReadonlyPartialJSONObject
> extends View {
  constructor(
    kubeflow: IKubeflow,
    readonly kind: string,
    readonly resource: string,
    private _place: P
  ) {
    // Names may have blanks, which ids may not.
    super(
      kubeflow,
      `jupyter-kubeflow-${kind.toLowerCase()}-${encodeURIComponent(resource)}`,
      resource
    );
    this.title.icon = kubeflow.sections.view(kind)?.icon ?? kubeflowIcon;
  }

  get place(): P {
    return this._place;
  }

  set place(place: P) {
    this._place = place;
    this.moved();
  }

  /** Change a part of the place and keep the rest. */
  readonly go = (change: Partial<P>): void => {
    this.place = { ...this._place, ...change };
  };
}

/** Two to ten of one kind side by side; which ones may be changed in the view. */
export abstract class Comparison extends View {
  constructor(
    kubeflow: IKubeflow,
    namespace: string,
    label: string,
    private _names: readonly string[]
  ) {
    super(kubeflow, `${namespace}-${encodeURIComponent(_names.join())}`, label);
    this.title.icon = compareIcon;
    this.title.caption = _names.join('\n');
  }

  get names(): readonly string[] {
    return this._names;
  }

  protected readonly onNames = (names: readonly string[]): void => {
    this._names = names;
    this.title.caption = names.join('\n');
    this.moved();
  };
}

export function wrap<T extends Widget>(content: T): MainAreaWidget<T> {
  const widget = new MainAreaWidget<T>({ content });
  widget.id = `${content.id}-main`;
  widget.title.closable = true;
  widget.toolbar.hide();
  return widget;
}

export function show(app: JupyterFrontEnd, widget: Widget): void {
  if (!widget.isAttached) {
    app.shell.add(widget, 'main');
  }
  app.shell.activateById(widget.id);
}

export interface IDocument<T extends ResourceView> {
  /** `kubeflow:open-training`: takes `{name, kind?, place?}`. */
  readonly command: string;
  readonly label: string;
  readonly namespace: string;
  readonly kinds: readonly string[];
  create(name: string, kind: string): T;
}

/** Opens one widget for each resource, and again after a reload of the page. */
export function addDocument<T extends ResourceView>(
  app: JupyterFrontEnd,
  restorer: ILayoutRestorer | null,
  document: IDocument<T>
): WidgetTracker<MainAreaWidget<T>> {
  const { namespace, command, kinds } = document;
  const tracker = new WidgetTracker<MainAreaWidget<T>>({ namespace });
  app.commands.addCommand(command, {
    label: document.label,
    isEnabled: args => Boolean(args.name),
    describedBy: {
      args: {
        type: 'object',
        required: ['name'],
        properties: {
          name: { type: 'string' },
          kind: { type: 'string', enum: [...kinds] },
          place: { type: 'object', description: 'Where in the view: a tab, a part' }
        }
      }
    },
    execute: args => {
      const name = String(args.name);
      const kind = typeof args.kind === 'string' ? args.kind : kinds[0];
      const known = tracker.find(
        ({ content }) => content.resource === name && content.kind === kind
      );
      const widget = known ?? wrap(document.create(name, kind));
      const { content } = widget;
      if (args.place) {
        content.place = { ...content.place, ...(args.place as ReadonlyPartialJSONObject) };
      }
      if (!known) {
        content.placeChanged.connect(() => void tracker.save(widget));
        void tracker.add(widget);
      }
      show(app, widget);
      return widget;
    }
  });
  void restorer?.restore(tracker, {
    command,
    args: ({ content }) => ({
      name: content.resource,
      kind: content.kind,
      place: content.place
    }),
    name: ({ content }) => `${content.kind}/${content.resource}`
  });
  return tracker;
}

export interface IComparison<T extends Comparison> {
  /** Takes `{names}`. */
  readonly command: string;
  readonly label: string;
  readonly namespace: string;
  /** How a name is written, where it is more than one. */
  readonly hint?: string;
  /** Opens without names too, and asks for them. */
  readonly asks?: boolean;
  create(names: readonly string[]): T;
}

/** Opens one widget for each set of names, and again after a reload of the page. */
export function addComparison<T extends Comparison>(
  app: JupyterFrontEnd,
  restorer: ILayoutRestorer | null,
  comparison: IComparison<T>
): void {
  const { command, namespace, asks, hint } = comparison;
  const tracker = new WidgetTracker<MainAreaWidget<T>>({ namespace });
  app.commands.addCommand(command, {
    label: comparison.label,
    icon: compareIcon,
    isEnabled: args => asks || (Array.isArray(args.names) && args.names.length > 1),
    describedBy: {
      args: {
        type: 'object',
        ...(!asks && { required: ['names'] }),
        properties: {
          names: {
            type: 'array',
            items: { type: 'string', ...(hint && { description: hint }) }
          }
        }
      }
    },
    execute: args => {
      const names = Array.isArray(args.names) ? args.names.map(String).slice(0, 10) : [];
      const key = names.join();
      const known = tracker.find(({ content }) => content.names.join() === key);
      const widget = known ?? wrap(comparison.create(names));
      if (!known) {
        widget.content.placeChanged.connect(() => void tracker.save(widget));
        void tracker.add(widget);
      }
      show(app, widget);
      return widget;
    }
  });
  void restorer?.restore(tracker, {
    command,
    args: ({ content }) => ({ names: [...content.names] }),
    name: ({ content }) => content.names.join()
  });
}

/** The resource whose view is in front, for commands of the palette, which have no arguments. */
export function inFront<T extends ResourceView>(
  app: JupyterFrontEnd,
  tracker: WidgetTracker<MainAreaWidget<T>>
): { kind: string; name: string } | null {
  const front = app.shell.currentWidget;
  const found = tracker.find(widget => widget === front);
  return found ? { kind: found.content.kind, name: found.content.resource } : null;
}
