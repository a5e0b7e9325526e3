/** Paths that only the other replicas may ask. */
import type { IncomingMessage, ServerResponse } from "node:http"
import * as ReplicaRequests from "./ReplicaRequests.js"

type Handler = (request: IncomingMessage, response: ServerResponse, path: string) => void

export interface Way {
  readonly baseUrl: string
  /** The body must be a text or bytes. */
  readonly fetch: typeof fetch
}

export interface ReplicaPaths {
  readonly to: (receiver: ReplicaRequests.Receiver) => Way
  /** `answer` gets URLs without the prefix. True if the path begins with it. */
  readonly handle: (request: IncomingMessage, response: ServerResponse, path: string, answer: Handler) => boolean
}

/** `prefix`: such as `/cluster/gateway`. Throws a RangeError if a key is too short. */
export const make = (options: ReplicaRequests.Options, prefix: string): ReplicaPaths => {
  const requests = ReplicaRequests.make(options)
  return {
    to: (receiver) => ({
      baseUrl: receiver.address.replace(/\/$/, "") + prefix,
      fetch: requests.fetchFrom(receiver)
    }),
    handle: (request, response, path, answer) => {
      if (!path.startsWith(`${prefix}/`)) return false
      requests.admit(request, response, (admitted) => {
        admitted.url = admitted.url?.slice(prefix.length)
        answer(admitted, response, path.slice(prefix.length))
      })
      return true
    }
  }
}
