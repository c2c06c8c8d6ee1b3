import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { projectRoot } from '../../../tools/wrangler.ts'

/** Builds the pages into a folder of their own, with other settings than those of wrangler.toml. */
export async function build(folder: string, variables: Record<string, string>): Promise<void> {
  const vite = join(projectRoot, 'node_modules/vite/bin/vite.js')
  const options = ['build', 'web', '--logLevel', 'warn', '--emptyOutDir', '--outDir', folder]
  await promisify(execFile)(process.execPath, [vite, ...options], {
    cwd: projectRoot,
    env: { ...process.env, ...variables },
  })
}
