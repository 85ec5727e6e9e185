/**
 * Classes whose instances may be records, each with how an instance becomes plain data and comes back.
 *
 * Invariant: a name stands for one codec. Every thread runs the same program, so every thread's registry comes to hold the
 * same names. Registering the same name again is fine where the class has the same name (a module that was loaded twice, a
 * program started twice): instances of both classes are encoded, and decoding makes instances of the newest. The same name
 * for a class of another name is refused, so two programs on one thread can't take each other's codec by accident.
 */
import { MillraceError } from './errors.ts';

export interface ClassCodec<T> {
  /** Gives what stands for the instance: any value that a record may hold, other instances with a codec included. */
  encode(instance: T): unknown;
  decode(plain: never): T;
}

export interface CodecEntry {
  readonly name: string;
  readonly className: string;
  readonly encode: (instance: unknown) => unknown;
  readonly decode: (plain: unknown) => unknown;
}

// A class of any constructor: its arguments are never given here.
export type ClassOf<T> = abstract new (...args: never[]) => T;

export class CodecRegistry {
  readonly #byPrototype = new Map<object, CodecEntry>();
  readonly #byName = new Map<string, CodecEntry>();

  /** For the class itself; a subclass needs its own. Throws `InvalidArgument`. */
  register<T>(name: string, cls: ClassOf<T>, codec: ClassCodec<T>): void {
    if (typeof name !== 'string' || name === '') {
      throw refused(`Expected a name for the codec, got ${String(name)}. Give a text that stays the same over releases.`);
    }
    if (typeof cls !== 'function' || typeof codec?.encode !== 'function' || typeof codec.decode !== 'function') {
      throw refused(`Expected a class and { encode, decode } for the codec ${name}, got ${typeof cls} and ${typeof codec}. Give all three.`);
    }
    const known = this.#byName.get(name);
    if (known !== undefined && known.className !== cls.name) {
      throw refused(
        `Expected a new name for the codec of class ${cls.name}, got ${name}, which stands for class ${known.className}. `
          + 'Give each class a name of its own.',
      );
    }
    const entry: CodecEntry = {
      name,
      className: cls.name,
      encode: (instance) => codec.encode(instance as T),
      decode: (plain) => codec.decode(plain as never),
    };
    this.#byPrototype.set(cls.prototype as object, entry);
    this.#byName.set(name, entry);
  }

  ofPrototype(prototype: object): CodecEntry | undefined {
    return this.#byPrototype.get(prototype);
  }

  ofName(name: string): CodecEntry | undefined {
    return this.#byName.get(name);
  }
}

/** The thread's registry, used where no other is given. */
export const defaultCodecs = new CodecRegistry();

function refused(text: string): MillraceError {
  return new MillraceError('InvalidArgument', text);
}
