/**
 * What happens to servers.
 */
import type { Events } from "@mcp-lifeline/core/types"
import type { ConnectError, UnauthorizedError } from "./Errors.js"

type Tagged<Kinds> = { [Tag in keyof Kinds]: Kinds[Tag] & { readonly _tag: Tag } }[keyof Kinds]

/** What happened to a server, to be told apart by `_tag`. Durations in milliseconds. */
export type Event = Tagged<Events<ConnectError | UnauthorizedError>>
