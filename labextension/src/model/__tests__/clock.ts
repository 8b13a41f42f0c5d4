/** A clock that stands still until told to go on; timers fire in the order of their times. */
export class Clock {
  time = 1_700_000_000_000;

  later = (call: () => void, milliseconds: number): (() => void) => {
    const timer = { at: this.time + milliseconds, call };
    this._timers.push(timer);
    return () => {
      this._timers = this._timers.filter(each => each !== timer);
    };
  };

  now = (): number => this.time;

  get waiting(): number {
    return this._timers.length;
  }

  async go(milliseconds: number): Promise<void> {
    const end = this.time + milliseconds;
    await settle();
    for (;;) {
      const due = this._timers.filter(timer => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!due) {
        break;
      }
      this.time = Math.max(this.time, due.at);
      this._timers = this._timers.filter(timer => timer !== due);
      due.call();
      await settle();
    }
    this.time = end;
  }

  private _timers: { at: number; call: () => void }[] = [];
}

/** Let promises that are ready go on. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) {
    await Promise.resolve();
  }
}
