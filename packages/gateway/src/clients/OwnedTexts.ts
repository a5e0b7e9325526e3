/**
 * Texts of servers that a caller brings back, with the server that they lead to, and a mark: nobody can make that for another caller's
 * text, or one that the gateway has not given out.
 */
import type { Seal } from "@mcp-lifeline/http-server/SealedId"
import { Predicate } from "effect"

export interface Owner {
  /** See `Caller.ownerOf`; empty where nothing tells callers apart. */
  readonly owner: string
  readonly seal: Pick<Seal, "isMark" | "mark">
}

export interface Given {
  /** The name of the server, and what is more precise than that. */
  readonly path: ReadonlyArray<string>
  readonly text: string
}

export interface OwnedTexts {
  /** The same each time. */
  readonly seal: (given: Given) => string
  /** `undefined` if the gateway has given this caller no such text. */
  readonly open: (sealed: unknown) => Given | undefined
}

/** Between the encoded names and the mark. */
const separator = "@"

/** Servers may give names that are no text, in which `encodeURIComponent` would fail. */
const encoded = (name: string): string => encodeURIComponent(Buffer.from(name).toString())

/** `kind`: one kind of text is not taken for another. */
export const make = (kind: "requestState" | "task", { owner, seal }: Owner): OwnedTexts => {
  const marked = (names: string, text: string): string => JSON.stringify([kind, owner, names, text])
  return {
    seal: ({ path, text }) => {
      const names = path.map(encoded).join("/")
      return `${names}${separator}${seal.mark(marked(names, text))}:${text}`
    },
    open: (sealed) => {
      const end = Predicate.isString(sealed) ? sealed.indexOf(":") : -1
      if (!Predicate.isString(sealed) || end < 0) return undefined
      const [names = "", mark, ...more] = sealed.slice(0, end).split(separator, 3)
      const text = sealed.slice(end + 1)
      if (mark === undefined || more.length > 0 || !seal.isMark(marked(names, text), mark)) return undefined
      return { path: names.split("/").map(decodeURIComponent), text }
    }
  }
}
