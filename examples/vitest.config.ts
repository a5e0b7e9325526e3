import { project } from "../scripts/vitest/project.js"

export default project("examples", { built: true })
