/**
 * Pieces of a partition: a source of one form, and the operators on the way from it to the stage's end.
 *
 * Invariant: a partition is its pieces one after another; nothing is read before the piece's turn, and no feed is asked for
 * after the sink has had enough.
 */
import type { Feed, Op, SourceForm } from './fuse.ts';

export interface Piece {
  readonly form: SourceForm;
  readonly ops: readonly Op[];
  /** Hands over the source feed by feed until `run` returns true (the sink wants no more) or the source has ended. */
  readonly feed: (run: (feed: Feed) => boolean) => void;
  /** Of the form `text`: the same source as bytes. Null: there are none. */
  readonly text: TextBytes | null;
}

/** Lines as they lie in memory or files. */
export interface TextBytes {
  /** Hands over whole lines in utf8, each ended by \n but perhaps the source's last, until `run` returns true or the source has ended. */
  readonly each: (run: (bytes: Uint8Array) => boolean) => void;
  /** Such bytes as feeds of text; true: `run` wants no more. */
  readonly decoded: (bytes: Uint8Array, run: (feed: Feed) => boolean) => boolean;
}

/** A piece without operators. */
export function pieceOf(form: SourceForm, feed: Piece['feed']): Piece {
  return { form, ops: [], feed, text: null };
}

/** A piece of lines. */
export function textPiece(text: TextBytes): Piece {
  return { form: 'text', ops: [], feed: (run) => text.each((bytes) => text.decoded(bytes, run)), text };
}

/** A piece of one array, made when its turn has come. */
export function arrayPiece(records: () => readonly unknown[]): Piece {
  return pieceOf('array', (run) => {
    run(records());
  });
}

/** A piece of keys and values, made when its turn has come. */
export function pairsPiece(columns: () => { readonly keys: readonly unknown[]; readonly values: readonly unknown[] }): Piece {
  return pieceOf('pairs', (run) => {
    run(columns());
  });
}

/** The same pieces with more operators behind. */
export function withOps(pieces: readonly Piece[], ops: readonly Op[]): readonly Piece[] {
  if (ops.length === 0) return pieces;
  return pieces.map((piece) => ({ form: piece.form, ops: [...piece.ops, ...ops], feed: piece.feed, text: piece.text }));
}
