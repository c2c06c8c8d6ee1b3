import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { Stop } from '../command.ts'
import { projectRoot, run, runWrangler } from '../wrangler.ts'

/** Bundles the Worker as `npm run deploy` does, into a new folder. */
export async function bundleOurs(outdir: string, { isMinified }: { isMinified: boolean }): Promise<string> {
  mkdirSync(outdir, { recursive: true })
  await run(runWrangler, ['deploy', '--dry-run', '--outdir', outdir, `--minify=${isMinified}`])
  return readBundle(outdir)
}

/** @throws {Stop} unless the folder is what `wrangler deploy --dry-run --outdir` wrote. */
export function readBundle(folder: string): string {
  try {
    return readFileSync(join(folder, 'index.js'), 'utf8')
  } catch {
    throw new Stop(`${folder} has no index.js. \`npx wrangler deploy --dry-run --outdir ${folder}\` makes it.`)
  }
}

/** Bundles a Worker that ours is compared with. */
export async function bundleOther(entry: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(projectRoot, entry)],
    bundle: true,
    write: false,
    minify: true,
    format: 'esm',
    target: 'es2024',
    conditions: ['workerd', 'worker', 'browser'],
    external: ['cloudflare:*', 'node:*'],
  })
  return outputFiles[0]!.text
}
