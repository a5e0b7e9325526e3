import { BaseSequencer, type TestSpecification } from "vitest/node"

const isSlow = ({ moduleId }: TestSpecification): boolean => moduleId.endsWith(".slow.test.ts")

/** Slow files first: one that starts last leaves all workers but one idle. The others as vitest sorts them. */
export class SlowFirst extends BaseSequencer {
  override async sort(files: Array<TestSpecification>): Promise<Array<TestSpecification>> {
    // oxlint-disable-next-line unicorn/no-array-sort -- a sequencer is no array
    const usual = await super.sort(files)
    return usual.toSorted((a, b) => Number(isSlow(b)) - Number(isSlow(a)))
  }
}
