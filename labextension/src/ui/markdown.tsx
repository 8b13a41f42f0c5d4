import type { IRenderMime } from '@jupyterlab/rendermime';
import { MimeModel } from '@jupyterlab/rendermime';
import { Widget } from '@lumino/widgets';
import * as React from 'react';

import { useKubeflow } from './context';

const MARKDOWN = 'text/markdown';

/** A table's empty corner is no heading: a reader would be told of a heading that says nothing. */
function plainCorners(node: HTMLElement): void {
  for (const head of node.querySelectorAll('th')) {
    if (!head.textContent?.trim()) {
      head.replaceWith(document.createElement('td'));
    }
  }
}

/** Text as JupyterLab draws it in a notebook; nothing in it is trusted. Plain where the page cannot. */
export function Markdown(props: { text: string }): JSX.Element {
  const { rendermime } = useKubeflow();
  const host = React.useRef<HTMLDivElement>(null);
  // Before the element goes: a widget must be detached while it still has a place.
  React.useLayoutEffect(() => {
    const node = host.current;
    if (!node || !rendermime?.mimeTypes.includes(MARKDOWN)) {
      return;
    }
    const renderer: IRenderMime.IRenderer = rendermime.createRenderer(MARKDOWN);
    Widget.attach(renderer, node);
    const model = new MimeModel({ data: { [MARKDOWN]: props.text }, trusted: false });
    void renderer.renderModel(model).then(() => plainCorners(node));
    return () => renderer.dispose();
  }, [rendermime, props.text]);
  return rendermime?.mimeTypes.includes(MARKDOWN) ? (
    <div className="jk-Markdown" dir="auto" ref={host} />
  ) : (
    <pre className="jk-Markdown" dir="auto">
      {props.text}
    </pre>
  );
}
