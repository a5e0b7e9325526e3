/**
 * A time limit for work on files: a network file system may never answer.
 */

/** The file system has not answered in time. It may still do the work. */
export class NoAnswer extends Error {
  override readonly name = "NoAnswer"
}

/** How long one piece of work may take, in milliseconds. */
const defaultLimit = 10_000

/** How much work on each file or folder has exceeded its limit and still runs. */
const overdue = new Map<string, number>()

/**
 * Does the work, and rejects with `NoAnswer` if it takes longer than `limit` milliseconds. `about` is the file or folder: until overdue work on
 * it ends, more work on it is rejected at once, because each occupies one of the few threads that Node.js has for files.
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
