import type { Events } from "@mcp-lifeline/core/types"
import type { ConnectError, UnauthorizedError } from "./Errors.js"

type Tagged<Kinds> = { [Tag in keyof Kinds]: Kinds[Tag] & { readonly _tag: Tag } }[keyof Kinds]

/** Distinguished by `_tag`. Durations are in milliseconds. */
export type Event = Tagged<Events<ConnectError | UnauthorizedError>>
