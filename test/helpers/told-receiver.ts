/** A receiver that the test speaks through: what is stored, and when, is the test's. */
import { Receiver } from '../../lib/dstream/receiver.ts';

/** Its `store...` resolve when it is acknowledged. */
export class Told<T> extends Receiver<T> {
  readonly #tell: (receiver: Told<T>) => void;

  constructor(tell: (receiver: Told<T>) => void) {
    super();
    this.#tell = tell;
  }

  override onStart(): void {
    this.#tell(this);
  }

  override onStop(): void {}
}

/** `make`: for receiverStream. `running`: the first one that was started; before that nothing can be stored. */
export function told<T>(): { readonly make: () => Told<T>; readonly running: Promise<Told<T>> } {
  let tell: (receiver: Told<T>) => void = () => {};
  const running = new Promise<Told<T>>((resolve) => (tell = resolve));
  return { make: () => new Told(tell), running };
}
