/** Working with addresses. Addresses are said in messages, so their types are defined in protocol/ref.ts. */
import type { ActorPath, HostId } from '../../protocol/ids.ts';
import type { ActorRef } from '../../protocol/ref.ts';

export type { ActorRef, ReplyTo } from '../../protocol/ref.ts';

/** The address of a child whose spec fixes its `cell`: good before the child has started. */
export function refOf<Message>(host: HostId, cell: number, path: ActorPath): ActorRef<Message> {
  return { host, cell, path };
}

/** Equal for two refs exactly where they name the same actor. */
export function refKey(ref: ActorRef<never>): string {
  return `${ref.host}:${ref.cell}`;
}
