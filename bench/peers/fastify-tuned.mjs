// One Redis command per page, as an expert would have it. The price: no request moves the idle limit.
import { startFastify } from './fastify-app.mjs';

await startFastify({ rolling: false });
