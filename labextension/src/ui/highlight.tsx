import * as React from 'react';

import { useKubeflow } from './context';

/** Python code in the editor's colours, if the page has an editor to ask. */
export function Highlighted(props: { code: string }): JSX.Element {
  const { highlight } = useKubeflow();
  const host = React.useRef<HTMLPreElement>(null);
  React.useEffect(() => {
    const node = host.current;
    if (!node) {
      return;
    }
    node.textContent = props.code;
    let current = true;
    const drawn = document.createElement('div');
    highlight(props.code, drawn).then(
      done => {
        if (current && done) {
          node.replaceChildren(...drawn.childNodes);
        }
      },
      () => undefined
    );
    return () => {
      current = false;
    };
  }, [props.code, highlight]);
  return <pre className="jk-Source" ref={host} tabIndex={0} />;
}
