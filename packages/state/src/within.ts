/** A network file system may never answer. */

/** It may still do the work. */
export class NoAnswer extends Error {
  override readonly name = "NoAnswer"
}

/** In milliseconds. */
const defaultLimit = 10_000

/** By file or folder: work beyond its limit that still runs. */
const overdue = new Map<string, number>()

/**
 * Rejects with `NoAnswer` after `limit` milliseconds. `about`: the file or folder: until overdue work on it ends, more is rejected at once,
 * because each occupies one of Node's few threads for files.
 */
export const within = async <A>(about: string, work: () => Promise<A>, limit: number = defaultLimit): Promise<A> => {
  if (overdue.has(about)) throw new NoAnswer(`the file system of ${about} still does not answer`)
  let timer: NodeJS.Timeout | undefined
  const done = work()
  const limited = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      overdue.set(about, (overdue.get(about) ?? 0) + 1)
      const ended = (): void => {
        const rest = (overdue.get(about) ?? 0) - 1
        if (rest > 0) overdue.set(about, rest)
        else overdue.delete(about)
      }
      done.then(ended, ended)
      reject(new NoAnswer(`the file system of ${about} did not answer within ${limit / 1000} seconds`))
    }, limit)
  })
  try {
    return await Promise.race([done, limited])
  } finally {
    clearTimeout(timer)
  }
}
