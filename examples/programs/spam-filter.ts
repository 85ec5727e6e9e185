/**
 * The program of examples/spam-filter.ts: messages joined with a list of senders that the app replaces while the stream runs.
 *
 * A broadcast variable is the one thing that may change under a running program. Each batch sees one version of it, the one that was
 * current when the batch was generated, on every thread and in every attempt of a task.
 */
import type { StreamingContext } from 'millrace';

export interface Message {
  readonly from: string;
  readonly text: string;
}

export interface SpamList {
  readonly edition: number;
  readonly senders: readonly string[];
}

export default function spamFilter(ssc: StreamingContext, args: { readonly senders: readonly string[] }) {
  const messages = ssc.queue<Message>();
  const spam = ssc.sc.broadcast<SpamList>(() => ({ edition: 1, senders: args.senders }));
  const allowed = ssc
    .queueStream(messages)
    .map((message) => [message.from, message])
    .transform((bySender) => {
      const { edition, senders } = spam.value;
      const listed = ssc.sc.parallelize(senders.map((sender): [string, true] => [sender, true]));
      return bySender
        .leftOuterJoin(listed)
        .filter(([, [, isSpam]]) => isSpam === null)
        .map(([from, [{ text }]]) => ({ edition, from, text }));
    });
  return { messages, spam, allowed: allowed.publish() };
}
