/**
 * Paths of a program that only the other replicas of its cluster may ask.
 */
import { refuse } from "@mcp-lifeline/http-server/Refusal"
import type { Redacted } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { ClusterKeys } from "../ClusterKey.js"
import * as HopSecrets from "./HopSecrets.js"

type Handler = (request: IncomingMessage, response: ServerResponse, path: string) => void

/** See the head of the file. */
export interface ReplicaPaths {
  /** The header `Authorization` with which a replica asks. */
  readonly authorization: () => Redacted.Redacted
  /** Lets `answer` answer requests of other replicas, without the prefix in their URLs. True if the path begins with it. */
  readonly handle: (request: IncomingMessage, response: ServerResponse, path: string, answer: Handler) => boolean
}

const forbidden = { status: 403, message: "This is for other replicas of the cluster" }

/** `prefix`: what the paths begin with, such as `/cluster/gateway`. Throws a RangeError if a key is too short. */
export const make = (keys: ClusterKeys, prefix: string): ReplicaPaths => {
  const authorization = HopSecrets.authorization(keys)
  return {
    authorization,
    handle: (request, response, path, answer) => {
      if (!path.startsWith(`${prefix}/`)) return false
      if (!HopSecrets.isAllowed(authorization(), request.headers.authorization)) refuse(response, forbidden)
      else {
        request.url = request.url?.slice(prefix.length)
        answer(request, response, path.slice(prefix.length))
      }
      return true
    }
  }
}
