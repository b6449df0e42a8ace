#!/usr/bin/perl

# The tests' own tools against a stock proxy_pass: what they report is what
# happened.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Test::More;

my $up = Upstream->start(
    tls => 1,
    plain => { json => chat_answer('hi') },
    stream => { events => stream_events('one two three') },
    cut => { events => stream_events('one two three'), cut => 2 },
    reset => { fail => 'reset' },
    close => { fail => 'close' },
    garbage => { fail => 'garbage' },
    stall => { fail => 'stall' },
    gate => { events => stream_events('one two'), gate => 1 },
    turns => [{ status => 500, json => {} }, { json => { n => 2 } }],
    split => { events => stream_events('one two'), split => 1 },
    echo => { echo => 1 },
    recorded => { fixture =>
        fixtures() . '/openai/chat-stream-toolcall-nchoices-01.json' },
);

my $ca = $up->ca;
my $gw = Gateway->start(server => <<"EOF");
location / {
    proxy_pass http://127.0.0.1:$up->{port};
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_buffering off;
    proxy_read_timeout 1s;
}
location /tls/ {
    proxy_pass https://127.0.0.1:$up->{tls_port}/;
    proxy_ssl_verify on;
    proxy_ssl_name localhost;
    proxy_ssl_server_name on;
    proxy_ssl_trusted_certificate $ca;
}
location /wrong/ {
    proxy_pass https://127.0.0.1:$up->{wrong_port}/;
    proxy_ssl_verify on;
    proxy_ssl_name localhost;
    proxy_ssl_trusted_certificate $ca;
}
EOF

my $reply = $gw->client->post('/x-plain/v1/chat/completions', chat_body());
is($reply->{status}, 200, 'a plain answer');
ok($reply->{complete}, 'is complete');
is(Client::text($reply), 'hi', 'and has its text');
my $seen = $up->last_request('plain');
is($seen->{path}, '/v1/chat/completions', 'the provider saw the path');
is(decode($seen->{body})->{model}, 'gpt-4o', 'and the body');

$reply = $gw->client->post('/x-stream/v1/chat/completions', chat_body());
check_stream($reply, 'one two three', 'a stream');

$reply = $gw->client->post('/x-split/v1/chat/completions', chat_body());
check_stream($reply, 'one two', 'a stream byte by byte');

$reply = $gw->client->post('/x-cut/v1/chat/completions', chat_body());
is($reply->{status}, 200, 'a cut stream has begun');
ok(!$reply->{complete}, 'and is seen as incomplete');
is(Client::text($reply), 'one two ', 'with what came before');

for my $fault (qw(reset close)) {
    $reply = $gw->client->post("/x-$fault/x", chat_body());
    is($reply->{status}, 502, "$fault gives 502");
}
# What is no HTTP/1 counts as HTTP/0.9 for proxy_pass, and is passed on.
$reply = $gw->client(timeout => 1)->post('/x-garbage/x', chat_body());
like($reply->{raw}, qr/this is not HTTP/, 'garbage reaches the proxy');
$reply = $gw->client->post('/x-stall/x', chat_body());
is($reply->{status}, 504, 'a stall gives 504');
is($up->wait_outcome('stall', 'client_closed')->{outcome}, 'client_closed',
    'the provider saw the connection close');

my $client = $gw->client->send('POST', '/x-gate/x', chat_body());
$reply = $client->wait(sub { $_[0]{body} =~ /one/ });
unlike($reply->{body}, qr/two/, 'the gate holds the second event');
$up->open_gate('gate');
$reply = $client->finish;
check_stream($reply, 'one two', 'and lets it go');

is($gw->client->post('/x-turns/x', '{}')->{status}, 500, 'turn one');
is(Client::json($gw->client->post('/x-turns/x', '{}'))->{n}, 2, 'turn two');

my $recorded = decode(Gateway::slurp(fixtures()
    . '/openai/chat-stream-toolcall-nchoices-01.json'));
is($gw->client->post('/x-recorded/x', '{}')->{body},
    $recorded->{response}{body_text}, 'a recording comes byte for byte');

is($gw->client->post('/tls/x-plain/x', '{}')->{status}, 200, 'TLS');
is($up->last_request('plain')->{sni}, 'localhost', 'with its name');
is($gw->client->post('/wrong/x-plain/x', '{}')->{status}, 502,
    'a wrong name is refused');

my @many = map { $gw->client->send('POST', '/x-split/x', '{}') } 1 .. 20;
my @replies = Client::finish_all(20, @many);
is(scalar(grep { $_->{complete} } @replies), 20, '20 streams at once');

my ($status, $out) = curl('-d', '{}', $gw->url('/x-plain/x'));
is($status, 0, 'curl works');
is(decode($out)->{object}, 'chat.completion', 'and shows the body');

# What nginx has not written to its end is no line yet.
$gw->write_file('logs/half.log', "one\ntw");
is(join(' ', $gw->log_lines('half.log', 2, 0)), 'one', 'half a line is none');
$gw->write_file('logs/half.log', "one\n\nthree\n");
is(join('|', $gw->log_lines('half.log', 3)), 'one||three', 'an empty one is');

my $bad = Gateway->new(server => 'no_such_directive on;');
my ($code, $said) = $bad->check;
isnt($code, 0, 'a bad configuration fails the check');
like($said, qr/\[emerg\].*unknown directive "no_such_directive"/, 'in words');

done($gw, $up);
