/** Emails have the colors of `web/brand.json`, like the pages. */
import assert from 'node:assert/strict'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type * as Render from '../../emails/render.ts'

const root = new URL('../..', import.meta.url).pathname

/** The document of an email with a button, as a clone with this `brand.json` writes it. */
async function emailWith(brand: object): Promise<string> {
  const clone = mkdtempSync(join(tmpdir(), 'postern-colors-'))
  try {
    cpSync(join(root, 'emails'), join(clone, 'emails'), { recursive: true })
    symlinkSync(join(root, 'node_modules'), join(clone, 'node_modules'))
    mkdirSync(join(clone, 'web'))
    writeFileSync(join(clone, 'package.json'), '{ "type": "module" }')
    writeFileSync(join(clone, 'web/brand.json'), JSON.stringify(brand))
    const { renderEmail }: typeof Render = await import(join(clone, 'emails/render.ts'))
    const details = { template: 'account_exists' } as const
    const sender = { productName: 'Postern', publicUrl: 'https://accounts.example.com', supportUrl: null }
    return renderEmail(details, sender).html
  } finally {
    rmSync(clone, { recursive: true })
  }
}

test('the accents of brand.json are those of emails, in light and dark mode', async () => {
  const light = { accent: '#111111', accentHover: '#222222', onAccent: '#333333' }
  const dark = { accent: '#444444', accentHover: '#555555', onAccent: '#666666' }
  const html = await emailWith({ light, dark })
  assert.match(html, /background:#111111;/)
  assert.match(html, /color:#333333;/)
  assert.ok(html.includes('.button{background:#444444!important}.button a{color:#666666!important}'))
  assert.ok(html.includes('.accent{color:#444444!important}'))
  const other = await emailWith({ light: { ...light, accent: '#777777' }, dark })
  assert.equal(html.replaceAll('#111111', '#777777'), other)
})
