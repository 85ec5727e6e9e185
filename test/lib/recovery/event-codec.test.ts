/** Events as bodies of frames. */
import fc from 'fast-check';
import t from 'tap';
import { decodeEvent, encodeBlock, encodeEvent, frameTypes } from '../../../lib/recovery/event-codec.ts';
import { anyEvent, contentOf, fold } from '../../helpers/recovery-events.ts';

t.test('an event is read as it was written, and a block\'s data lie where it says', (t) => {
  fc.assert(fc.property(anyEvent, fc.uint8Array({ maxLength: 40 }), fc.nat(9), ({ event, place }, data, before) => {
    const written = event.type === 'blockAdded' ? encodeBlock(event, data) : { parts: encodeEvent(event), dataOffset: null };
    const type = event.type === 'blockAdded' ? frameTypes.block : frameTypes.event;
    // Bodies lie anywhere within what was read of a file.
    const body = Buffer.concat([Buffer.alloc(before), ...written.parts]).subarray(before);
    const read = decodeEvent(type, body);
    if (read === null || read.dataOffset !== written.dataOffset) return false;
    if (read.dataOffset !== null && !Buffer.from(data).equals(body.subarray(read.dataOffset))) return false;
    return JSON.stringify(contentOf(fold([{ event: read.event, place }]))) === JSON.stringify(contentOf(fold([{ event, place }])));
  }), { seed: 3, numRuns: 500 });
  t.end();
});

t.test('a step of state is no event, and a frame of a kind that is not known says so', (t) => {
  t.equal(decodeEvent(frameTypes.state, Uint8Array.of(1, 2)), null);
  for (const type of [0, 4, 255]) t.throws(() => decodeEvent(type, Uint8Array.of(1)), { code: 'FormatUnknown', message: new RegExp(`got type ${type}`) });
  t.end();
});
