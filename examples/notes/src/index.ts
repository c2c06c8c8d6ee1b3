/**
 * An example of a Worker behind Postern. Signed-in users write and read notes and delete their own. Deleting the notes of
 * others needs the permission `content:manage`, which MODERATORs and ADMINs have.
 */
import { type PosternEnv, postern, requireAcr } from '@postern/client/hono'
import { Hono } from 'hono'

interface Bindings {
  NOTES: KVNamespace
  /** The PUBLIC_URL of Postern. The middleware reads it. */
  POSTERN_ISSUER: string
}

interface Note {
  id: string
  author: string
  text: string
  at: string
}

const maxTextLength = 280

/** For what cannot be undone: the user signed in, or confirmed it, within the last ten minutes (RFC 9470). */
const isRecent = requireAcr('urn:postern:1', { maxAgeSeconds: 600 })

const notes = new Hono<PosternEnv & { Bindings: Bindings }>()
  .get('/notes', postern(), async (c) => {
    const { keys } = await c.env.NOTES.list<Note>({ prefix: 'note:' })
    return c.json({ notes: keys.map(({ metadata }) => metadata) })
  })
  .post('/notes', postern(), async (c) => {
    const text: unknown = (await c.req.json().catch(() => null))?.text
    if (typeof text !== 'string' || text.trim() === '' || text.length > maxTextLength) {
      return c.json({ error: `text must be 1 to ${maxTextLength} characters` }, 422)
    }
    const note: Note = { id: crypto.randomUUID(), author: c.var.postern.userId, text, at: new Date().toISOString() }
    // In the metadata, so that listing needs only one read.
    await c.env.NOTES.put(`note:${note.id}`, '', { metadata: note })
    return c.json(note, 201)
  })
  .delete('/notes/:id', postern(), async (c) => {
    const key = `note:${c.req.param('id')}`
    const { metadata: note } = await c.env.NOTES.getWithMetadata<Note>(key)
    if (!note) return c.json({ error: 'There is no such note.' }, 404)
    const { userId, permissions } = c.var.postern
    if (note.author !== userId && !permissions.includes('content:manage')) {
      return c.json({ error: 'The note belongs to another user.' }, 403)
    }
    await c.env.NOTES.delete(key)
    return c.body(null, 204)
  })
  .delete('/authors/:author/notes', postern({ permission: 'content:manage' }), isRecent, async (c) => {
    const { keys } = await c.env.NOTES.list<Note>({ prefix: 'note:' })
    const theirs = keys.filter(({ metadata }) => metadata?.author === c.req.param('author'))
    await Promise.all(theirs.map(({ name }) => c.env.NOTES.delete(name)))
    return c.json({ deleted: theirs.length })
  })

export default notes
