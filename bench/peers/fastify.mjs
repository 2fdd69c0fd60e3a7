// `rolling` stays at its default, which stores the session with every request: that is what moves its idle limit, as in
// the other servers.
import { startFastify } from './fastify-app.mjs';

await startFastify();
