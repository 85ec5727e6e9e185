/**
 * A broadcast variable: one value that all threads see, which the app can set anew.
 *
 * Invariant: all tasks of a batch, and its transforms, see one version. Version 0 is made by its factory (or is the value that
 * was given), on each thread that asks for it; later versions come from the app, and the runtime installs the one that belongs
 * to the batch before a task of it runs.
 */
import { MillraceError } from '../../protocol/errors.ts';

/** Brings a new version to the driver; settles when batches from then on see it. */
export type BroadcastSender = (broadcast: number, value: unknown) => Promise<void>;

/** One value that all threads see; the app can set it anew, and every batch sees one version. */
export class Broadcast<T> {
  /** Place among the program's broadcast variables. @internal */
  readonly index: number;
  readonly #make: () => T;
  #version = -1;
  #value: T | undefined;
  #send: BroadcastSender | null = null;

  constructor(index: number, make: () => T) {
    this.index = index;
    this.#make = make;
  }

  /** The value of the version that this thread works with. */
  get value(): T {
    if (this.#version < 0) {
      this.#value = this.#make();
      this.#version = 0;
    }
    return this.#value as T;
  }

  /** 0 for what the program gave, also before it was made. */
  get version(): number {
    return Math.max(0, this.#version);
  }

  /** On the app: the value for all batches from then on. */
  set(value: T): Promise<void> {
    if (this.#send === null) throw broadcastNotOnApp();
    return this.#send(this.index, value);
  }

  /** By the runtime, on the app. @internal */
  connect(send: BroadcastSender | null): void {
    this.#send = send;
  }

  /** By the runtime: this thread works with another version from now on. Version 0 is made again by its factory. @internal */
  install(version: number, value: T | undefined): void {
    if (version === this.version) return;
    this.#version = version === 0 ? -1 : version;
    this.#value = value;
  }
}

/** On threads that only build the program, before start and in functions on records. */
export function broadcastNotOnApp(): MillraceError {
  return new MillraceError('NotInitialized', 'A broadcast variable is set from the app, after start(): ssc.exports.name.set(value).');
}
