/**
 * Cases of Spark's that are another way here, by their files: what comes here, and why that is meant.
 *
 * Invariant: each of them fails with just these words; all others pass (vectors.test.ts). One that passes leaves this list.
 * docs/spark-differences.md tells users the same.
 */
export interface Difference {
  /** As the runner tells it. */
  readonly reason: string;
  readonly why: string;
}

export const differsOnPurpose: Readonly<Record<string, Readonly<Record<string, Difference>>>> = {
  'errors.json': {
    'not-serializable-function-with-checkpoint': {
      reason: 'expected NotSerializableException, got "ACTIVE"',
      why: 'No function is ever written down: a recovery builds the graph anew by the program, so that a function may close over anything.',
    },
  },
};
