import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { projectRoot } from '../../../tools/wrangler.ts'

/** The repository as on a fresh clone after an installation whose scripts have not run yet. */
export function freshCopy(): string {
  const directory = mkdtempSync(join(tmpdir(), 'clone-'))
  const list = ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '--deduplicate']
  const files = execFileSync('git', list, { cwd: projectRoot, encoding: 'utf8' }).split('\0')
  for (const file of files.filter((name) => name !== '' && existsSync(join(projectRoot, name)))) {
    cpSync(join(projectRoot, file), join(directory, file), { force: true })
  }
  symlinkSync(join(projectRoot, 'node_modules'), join(directory, 'node_modules'))
  return directory
}
