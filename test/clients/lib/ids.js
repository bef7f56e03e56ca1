'use strict';
// Ids of every shape that a chat may give its users, the same in each run.

// Mulberry32 by Tommy Ettinger: 0 to 2^32 - 1.
function generator(seed) {
	let state = seed >>> 0;
	return () => {
		state = (state + 0x6d2b79f5) >>> 0;
		let t = state;
		t = Math.imul(t ^ (t >>> 15), t | 1);
		t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
		return (t ^ (t >>> 14)) >>> 0;
	};
}

const below = (random, n) => random() % n;
const text = (random, length, character) => Array.from({ length }, () => character(random)).join('');
const hex = (random, length) => text(random, length, (r) => below(r, 16).toString(16));
const of = (alphabet) => (random) => alphabet[below(random, alphabet.length)];

const printable = (random) => String.fromCharCode(0x20 + below(random, 0x5f));
const ascii = (random) => String.fromCharCode(1 + below(random, 0x7f)); // a text in PostgreSQL has no 0
const wide = of([...'äöüßéèñøłžçΩλπяжщיעع한국日本語漢字ก😀🏳👩🚀\u200d\u0301\u00a0\uffff']);

const asciiShapes = [
	(random, i) => String(i),
	(random) => String(random()),
	(random) => `${hex(random, 8)}-${hex(random, 4)}-4${hex(random, 3)}-a${hex(random, 3)}-${hex(random, 12)}`,
	(random) => hex(random, 32).toUpperCase(),
	(random, i) => `${text(random, 1 + below(random, 12), of('abcdefghijklmnopqrstuvwxyz.'))}${i}@example.com`,
	(random) => text(random, 1 + below(random, 40), printable),
	(random) => text(random, 1 + below(random, 12), of('%\'"\\$ {}[]0')),
	(random) => text(random, 1 + below(random, 40), ascii),
	(random, i) => (i % 50 === 7 ? text(random, 200 + below(random, 5000), printable) : `user-${i}`),
];
const wideShapes = [
	(random, i) => `${text(random, 1 + below(random, 8), wide)}${i}`,
	(random) => text(random, 1 + below(random, 20), wide),
	(random) => text(random, 1 + below(random, 20), (r) => (below(r, 4) ? printable(r) : wide(r))) + 'é',
];

const make = (shapes, count, seed) => {
	const random = generator(seed);
	return Array.from({ length: count }, (_, i) => shapes[i % shapes.length](random, i));
};

module.exports = {
	asciiIds: (count) => make(asciiShapes, count, 11),
	wideIds: (count) => make(wideShapes, count, 12),
	// What chat_v11.targeting_key() does, for a client that has no database at hand.
	targetingKey: (id) => id.replace(/[^\x00-\x7f]+/gu, encodeURIComponent),
};
