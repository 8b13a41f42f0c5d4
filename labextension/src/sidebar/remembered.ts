import * as React from 'react';

import { Memory } from './memory';

const Context = React.createContext<Memory | null>(null);

export const MemoryProvider = Context.Provider;

/** What the panel remembers, for what sections put below their lists. */
export function useMemory(): Memory {
  const memory = React.useContext(Context);
  return React.useMemo(() => memory ?? new Memory(null), [memory]);
}
