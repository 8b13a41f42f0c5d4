import * as React from 'react';

import { ErrorLine } from './controls';

/** A fault in one view is said in its place; the others go on. */
export class Boundary extends React.Component<
  { children?: React.ReactNode },
  { error: Error | null }
> {
  state = { error: null as Error | null };

  static getDerivedStateFromError(error: Error): { error: Error } {
    return { error };
  }

  render(): React.ReactNode {
    const { error } = this.state;
    return error ? (
      <ErrorLine error={error} onRetry={() => this.setState({ error: null })} />
    ) : (
      this.props.children
    );
  }
}
