import * as React from 'react';

import type { IProblem } from '../../model/types';
import { useTrans } from '../../ui/context';

/** How bad a problem is: shape, colour and, for screen readers, the word. */
export function SeverityIcon(props: { severity: IProblem['severity'] }): JSX.Element {
  const trans = useTrans();
  const words = {
    error: trans.__('Error'),
    warning: trans.__('Warning'),
    info: trans.__('Note')
  };
  return (
    <svg
      className={`jk-Severity jk-mod-${props.severity}`}
      width="14"
      height="14"
      viewBox="0 0 16 16"
      role="img"
      aria-label={words[props.severity]}
      focusable="false"
    >
      {props.severity === 'warning' ? (
        <path
          fill="currentColor"
          fillRule="evenodd"
          d="M8.9 1.700a1 1 0 0 0-1.800 0l-6 11.400A1 1 0 0 0 2 14.600h12a1 1 0 0 0 .9-1.500l-6-11.400ZM7.200 5.500h1.600l-.2 4.300H7.400l-.2-4.300ZM8 12.700a.95.95 0 1 1 0-1.900.95.95 0 0 1 0 1.900Z"
        />
      ) : (
        <path
          fill="currentColor"
          fillRule="evenodd"
          d="M8 1a7 7 0 1 1 0 14A7 7 0 0 1 8 1Zm-.8 3.200.2 4.800h1.200l.2-4.800H7.200ZM8 12.200a.95.95 0 1 0 0-1.900.95.95 0 0 0 0 1.900Z"
        />
      )}
    </svg>
  );
}
