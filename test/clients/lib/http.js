'use strict';
// A small HTTP server on a free port of this machine alone.
const http = require('node:http');

// handle(request, body) gives { status, body, headers }; what it throws is a 500, as of a gateway.
async function serve(handle) {
	const server = http.createServer((request, response) => {
		const chunks = [];
		request.on('data', (chunk) => chunks.push(chunk));
		request.on('end', async () => {
			let answer;
			try {
				answer = await handle(request, Buffer.concat(chunks).toString('utf8'));
			} catch (error) {
				answer = { status: 500, body: JSON.stringify({ message: error.message }) };
			}
			const { status = 200, body = '', headers = {} } = answer;
			response.writeHead(status, { 'content-type': 'application/json', ...headers });
			response.end(body);
		});
	});
	await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
	return {
		url: `http://127.0.0.1:${server.address().port}`,
		close: () =>
			new Promise((resolve) => {
				server.close(resolve);
				server.closeAllConnections();
			}),
	};
}

module.exports = { serve };
