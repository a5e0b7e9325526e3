/** Each of the first with `times` of the second, which take turns, so that all are there if the first list is long enough. */
export const pairs = <A, B>(
  some: ReadonlyArray<A>,
  others: ReadonlyArray<B>,
  times = 2
): ReadonlyArray<readonly [A, B]> =>
  some.flatMap((one, index) =>
    Array.from({ length: Math.min(times, others.length) }, (_, time) => {
      const other = others[(index * times + time) % others.length] as B
      return [one, other] as const
    })
  )
