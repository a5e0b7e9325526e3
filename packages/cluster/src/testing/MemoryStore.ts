import { Clock, Effect } from "effect"
import type { Claims, ClusterStore, Ownership, Place, Replica } from "../ClusterStore.js"

interface Claim {
  owner: string | undefined
  readonly generation: number
  readonly since: number
}

interface Text {
  readonly text: string
  readonly usedAt: number
}

const isAfter = (one: Place, other: Place): boolean =>
  one.collection === other.collection ? one.key > other.key : one.collection > other.collection

export const make = (): ClusterStore => {
  const replicas = new Map<string, Replica>()
  const servers = new Map<string, Claim>()
  let taken = 0
  const collections = new Map<string, Map<string, Text>>()
  let changes = 0
  const rowsOf = (collection: string): Map<string, Text> => {
    const rows = collections.get(collection) ?? new Map<string, Text>()
    collections.set(collection, rows)
    return rows
  }
  const isAlive = (id: string | undefined): boolean => id !== undefined && replicas.get(id)?.hasEnded === false
  const ownership = ({ generation, owner }: Claim): Ownership | undefined =>
    owner === undefined || !isAlive(owner)
      ? undefined
      : { owner, address: replicas.get(owner)?.address ?? "", generation }
  const claims = (
    rows: Map<string, Claim>,
    next: (before: Pick<Claim, "generation">) => number,
    free: (name: string, row: Claim) => void
  ): Claims => ({
    find: (name) =>
      Effect.sync(() => {
        const row = rows.get(name)
        return row === undefined ? undefined : ownership(row)
      }),
    claim: (id, name, instead) =>
      Effect.map(Clock.currentTimeMillis, (since) => {
        const row = rows.get(name) ?? { owner: undefined, generation: 0, since }
        const isReplaced = row.owner === id && row.generation === instead
        if ((!isAlive(row.owner) || isReplaced) && isAlive(id)) {
          rows.set(name, { owner: id, generation: next(row), since })
        }
        return ownership(rows.get(name) ?? row)
      }),
    release: (id, name, generation) =>
      Effect.sync(() => {
        const row = rows.get(name)
        if (row?.owner === id && row.generation === generation) free(name, row)
      })
  })
  /** Nothing is left of them when released. */
  const short = (): Claims => {
    const rows = new Map<string, Claim>()
    return claims(rows, () => ++taken, (name) => void rows.delete(name))
  }
  return {
    join: (id, address) =>
      Effect.sync(() => void replicas.set(id, { id, address, renewals: 0, witnesses: [], hasEnded: false })),
    renew: (id, witnesses) =>
      Effect.sync(() => {
        const before = replicas.get(id)
        if (before?.hasEnded === false) replicas.set(id, { ...before, renewals: before.renewals + 1, witnesses })
        return {
          renewals: isAlive(id) ? replicas.get(id)?.renewals : undefined,
          replicas: Array.from(replicas.values()),
          changes
        }
      }),
    end: (id, renewals) =>
      Effect.sync(() => {
        const before = replicas.get(id)
        if (before === undefined || before.hasEnded) return true
        if (renewals !== undefined && before.renewals !== renewals) return false
        replicas.set(id, { ...before, hasEnded: true })
        return true
      }),
    ...claims(servers, ({ generation }) => generation + 1, (_, row) => {
      row.owner = undefined
    }),
    sessions: short(),
    locks: short(),
    rows: {
      get: (collection, key) => Effect.sync(() => rowsOf(collection).get(key)?.text),
      entries: (collection) =>
        Effect.sync(() => Array.from(rowsOf(collection), ([key, { text }]) => [key, text] as const).toSorted()),
      after: (place, maxRows) =>
        Effect.sync(() =>
          Array.from(
            collections,
            ([collection, rows]) => Array.from(rows, ([key, { text }]) => ({ collection, key, text }))
          )
            .flat().filter((row) => place === undefined || isAfter(row, place))
            .toSorted((one, other) => isAfter(one, other) ? 1 : -1).slice(0, maxRows)
        ),
      change: ({ before, collection, isFollowed = false, keepsAge = false, key, text }) =>
        Effect.map(Clock.currentTimeMillis, (usedAt) => {
          const rows = rowsOf(collection)
          const row = rows.get(key)
          const found = row?.text
          if (found !== before || text === before) return found
          rows.delete(key)
          if (text !== undefined) rows.set(key, { text, usedAt: keepsAge ? row?.usedAt ?? usedAt : usedAt })
          if (isFollowed) changes++
          return text
        }),
      use: (collection, key) =>
        Effect.map(Clock.currentTimeMillis, (usedAt) => {
          const rows = rowsOf(collection)
          const row = rows.get(key)
          if (row !== undefined) rows.set(key, { ...row, usedAt })
        }),
      excess: (collection, { maxChars, maxRows }) =>
        Effect.sync(() => {
          let chars = 0
          const newest = Array.from(rowsOf(collection)).toSorted(([, a], [, b]) => b.usedAt - a.usedAt)
          return newest.flatMap(([key, { text }], index) => {
            chars += text.length
            return index >= maxRows || chars > maxChars ? [[key, text] as const] : []
          }).toReversed().slice(0, 1000)
        }),
      prune: (collection, { maxRows, maxUnused }) =>
        Effect.map(Clock.currentTimeMillis, (now) => {
          const rows = rowsOf(collection)
          const newest = Array.from(rows).toSorted(([, a], [, b]) => b.usedAt - a.usedAt)
          for (const [index, [key, { usedAt }]] of newest.entries()) {
            if (index >= maxRows || now - usedAt > maxUnused) rows.delete(key)
          }
        })
    },
    loads: Effect.sync(() => {
      const loads = new Map<string, number>()
      for (const { owner } of servers.values()) {
        if (owner !== undefined && isAlive(owner)) loads.set(owner, (loads.get(owner) ?? 0) + 1)
      }
      return loads
    }),
    servers: Effect.sync(() =>
      Array.from(servers).flatMap(([server, row]) => {
        const owned = ownership(row)
        return owned === undefined ? [] : [{ server, since: row.since, ...owned }]
      })
    )
  }
}
