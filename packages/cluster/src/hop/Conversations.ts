import type { ServerNotification } from "@mcp-lifeline/core"
import type { Client } from "@mcp-lifeline/http-server/Conversation"
import { LogLevels } from "@mcp-lifeline/protocol/LogLevels"
import { Subscriptions } from "@mcp-lifeline/protocol/Subscriptions"
import { Effect, FiberSet, type Scope } from "effect"
import { hasLeft, type Served, ServerConversation } from "./ServerConversation.js"

/** None of its functions throws. */
export interface Listeners {
  readonly notified: (notification: ServerNotification) => void
  /** A new connection needs log level and subscriptions. */
  readonly connected: () => void
}

export interface Conversations extends Listeners {
  readonly begin: (client: Client) => ServerConversation
  readonly goes: () => void
  /** Answers what is open, and takes no new requests. */
  readonly close: () => void
}

export const make = (served: Served): Effect.Effect<Conversations, never, Scope.Scope> =>
  Effect.map(FiberSet.makeRuntime<never>(), (fork) => {
    const conversations = new Set<ServerConversation>()
    const subscriptions = new Subscriptions(fork)
    const levels = new LogLevels({
      fork,
      all: Effect.sync(() => [served.backend()]),
      hasLogging: () => served.introduction()?.capabilities.logging !== undefined
    })
    const shared = {
      ...served,
      fork,
      levels,
      subscriptions,
      onClose: (one: ServerConversation) => void conversations.delete(one)
    }
    return {
      begin: (client) => {
        const conversation = new ServerConversation(shared, client)
        conversations.add(conversation)
        return conversation
      },
      goes: () => {
        for (const one of conversations) one.goes()
      },
      close: () => {
        for (const one of [...conversations]) void one.close(hasLeft)
      },
      notified: (notification) => {
        const { method, params } = notification
        if (method === "notifications/resources/updated") subscriptions.updated(served.name, params ?? {})
        else for (const one of conversations) one.notified(notification)
      },
      connected: () => {
        const backend = served.backend()
        levels.connected(backend)
        subscriptions.connected(backend)
      }
    }
  })
