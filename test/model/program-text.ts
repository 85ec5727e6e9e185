/**
 * A random program as text that reads like code, for the message of a failed test.
 *
 *   const in1 = ssc.batchesStream([[1, 2], null], 2);
 *   const s1 = in1.window(3000, 1000);
 *   const s2 = s1.reduceByKey(add, 2);
 *   output(s2);                                    // 4 batches of 1000 ms
 *
 * Invariant: everything that the program's result depends on is in the text.
 */
import type { CaseOperation } from '../conformance/case.ts';
import type { RandomProgram } from './random-program.ts';

export function textOfProgram({ batchMs, inputs, graph, outputs, batchesToRun }: RandomProgram): string {
  return [
    ...inputs.map(({ id, batches, numPartitions }) => `const ${id} = ssc.batchesStream(${JSON.stringify(batches)}, ${numPartitions});`),
    ...graph.map((operation) => `const ${operation.id} = ${textOfOperation(operation)};`),
    ...outputs.map(({ id, order }) => `output(${id}); // compared by ${order}`),
    `// ${batchesToRun} batches of ${batchMs} ms`,
  ].join('\n');
}

function textOfOperation({ id: _id, op, of: [first, ...others], fn, invFn, windowMs, slideMs, numPartitions, ...rest }: CaseOperation): string {
  const options = Object.entries(rest).filter(([, value]) => value !== undefined).map(([name, value]) => `${name}: ${JSON.stringify(value)}`);
  const given = [...others, fn, invFn, windowMs, slideMs, ...(numPartitions === undefined ? [] : [`in ${numPartitions} partitions`]), ...(options.length === 0 ? [] : [`{ ${options.join(', ')} }`])];
  return `${String(first)}.${op}(${given.filter((argument) => argument !== undefined).join(', ')})`;
}
