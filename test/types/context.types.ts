/** Which options a program asks for. Compiled with the rest; never run. */
import { StreamingContext } from '../../lib/streaming-context.ts';

declare const url: URL;
const batchInterval = 1_000;

type NeedsPort = (ssc: StreamingContext, args: { readonly port: number }) => void;
type TakesPort = (ssc: StreamingContext, args?: { readonly port: number }) => void;
type AllLeftOut = (ssc: StreamingContext, args: { readonly port?: number }) => void;
type NoArgs = (ssc: StreamingContext) => { readonly nothing: never };

export async function created(): Promise<void> {
  await StreamingContext.create<NeedsPort>(url, { batchInterval, args: { port: 1 } });
  // @ts-expect-error: the program needs its arguments.
  await StreamingContext.create<NeedsPort>(url, { batchInterval });
  // @ts-expect-error: of which the port is one.
  await StreamingContext.create<NeedsPort>(url, { batchInterval, args: {} });
  // @ts-expect-error: an object, even where all that is in it may be left out.
  await StreamingContext.create<AllLeftOut>(url, { batchInterval });
  await StreamingContext.create<AllLeftOut>(url, { batchInterval, args: {} });
  await StreamingContext.create<TakesPort>(url, { batchInterval });
  await StreamingContext.create<TakesPort>(url, { batchInterval, args: { port: 1 } });
  await StreamingContext.create<NoArgs>(url, { batchInterval });
  // Nobody has said which program it is.
  await StreamingContext.create(url, { batchInterval });
  await StreamingContext.create(url, { batchInterval, args: { port: 1 } });

  const needsPort: NeedsPort = () => {};
  // @ts-expect-error: the same for a function.
  await StreamingContext.create(needsPort, { batchInterval });
  await StreamingContext.create(needsPort, { batchInterval, args: { port: 1 } });
  await StreamingContext.create((ssc) => void ssc.queue(), { batchInterval });
}
