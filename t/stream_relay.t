#!/usr/bin/perl

# A stream of a provider that speaks OpenAI: events pass as they come, usage
# is asked for upstream and shown only to those who asked, [DONE] once.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Test::More;

needs_module();

my $events = stream_events('one two three');
my $up = Upstream->start(
    stream => { events => $events },
    gate => { events => $events, gate => 1 },
    gate2 => { events => $events, gate => 2 },
    no_done => { events => stream_events('one two', no_done => 1) },
    comments => { events => ["raw:: OPENROUTER PROCESSING\n\n",
        @{ stream_events('one two') }] },
    crlf => { events => [map { 'raw:data: ' . (ref $_ ? encode($_) : $_)
        . "\r\n\r\n" } @{ stream_events('one two') }] },
    split => { events => $events, split => 1 },
    no_usage => { events => stream_events('one two', no_usage => 1) },
    strange => { events => [{ %{ chunk({ content => 'x' }) },
            'x_vendor' => { kept => JSON::PP::true } },
        chunk({}, finish => 'stop'), '[DONE]'] },
    moonshot => { events => [chunk({ role => 'assistant', content => 'hi' }),
        do { my $last = chunk({}, finish => 'stop');
            $last->{choices}[0]{usage} = openai_usage(); $last }, '[DONE]'] },
);

my $gw = Gateway->start(
    http => zone() . join('', map { provider($_ => openai => $up->url($_)) }
        qw(stream gate gate2 no_done comments crlf split no_usage strange))
        . provider(moonshot => moonshot => $up->url('moonshot'))
        . provider(plain_options => openai => $up->url('stream'),
            'stream_options off;'),
    server => join '', map { "location /$_/ { ai_proxy_pass $_; }\n" }
        qw(stream gate gate2 no_done comments crlf split no_usage strange
        moonshot plain_options));

sub stream {
    my ($name, %fields) = @_;
    return $gw->client->post("/$name/v1/chat/completions",
        chat_body(stream => JSON::PP::true, %fields));
}

my %ask = (stream_options => { include_usage => JSON::PP::true });
my $usage = sub { grep { ref && $_->{usage} } Client::events($_[0]) };

###############################################################################

my $reply = stream('stream');
check_stream($reply, 'one two three', 'a stream');
is(Client::header($reply, 'Content-Length'), undef, 'has no length');
is(scalar $usage->($reply), 0, 'and no usage that nobody asked for');
my $sent = decode($up->last_request('stream')->{body});
ok($sent->{stream_options}{include_usage}, 'usage was asked for upstream');
like(Upstream::header($up->last_request('stream'), 'Accept') // '*/*',
    qr{text/event-stream|\*/\*}, 'with a fitting Accept');

$reply = stream('stream', %ask);
check_stream($reply, 'one two three', 'a stream with usage');
my @shown = $usage->($reply);
is(scalar @shown, 1, 'has it once');
is_deeply($shown[0]{choices}, [], 'in a chunk of its own');
is($shown[0]{usage}{total_tokens}, 15, "with the provider's numbers");

# What else the client says in stream_options stays.

stream('stream', stream_options => { include_obfuscation => JSON::PP::false });
$sent = decode($up->last_request('stream')->{body});
ok($sent->{stream_options}{include_usage}
    && exists $sent->{stream_options}{include_obfuscation},
    'other stream options stay beside ours');

$reply = stream('stream', stream_options =>
    { include_usage => JSON::PP::false });
is(scalar $usage->($reply), 0, 'include_usage false is a no');

stream('plain_options');
$sent = decode($up->last_request('stream')->{body});
ok(!exists $sent->{stream_options}, 'stream_options off: not sent');

# Bytes of what is relayed.

$reply = stream('strange');
like($reply->{body}, qr/"x_vendor":\s*\{"kept":\s*true\}/, 'unknown members pass');

check_stream(stream('no_done'), 'one two', 'a missing [DONE] is added');
check_stream(stream('comments'), 'one two', 'comments do no harm');
check_stream(stream('crlf'), 'one two', 'CRLF framing');
check_stream(stream('split'), 'one two three', 'byte by byte');
check_stream(stream('no_usage', %ask), 'one two',
    'usage asked for, none given');

$reply = stream('moonshot', %ask);
check_stream($reply, 'hi', 'usage inside a choice');
is((map { $_->{usage}{total_tokens} } $usage->($reply))[-1], 15,
    'is shown where OpenAI has it');

# Each event leaves when it came: the provider holds the next one back until
# the client has this one.

for my $gate (1, 2) {
    my $name = $gate == 1 ? 'gate' : 'gate2';
    my $client = $gw->client->send('POST', "/$name/v1/chat/completions",
        chat_body(stream => JSON::PP::true));
    my $word = (qw(one two))[$gate - 1];
    $reply = $client->wait(sub { $_[0]{body} =~ /$word/ }, 20);
    like($reply->{body}, qr/$word/, "event $gate comes before the next one");
    ok(!$reply->{complete}, 'while the stream goes on');
    $up->open_gate($name);
    check_stream($client->finish, 'one two three', 'and the rest follows');
}

# The connection stays usable after a stream.

my $client = $gw->client;
for my $turn (1 .. 3) {
    $reply = $client->post('/stream/v1/chat/completions',
        chat_body(stream => JSON::PP::true));
    check_stream($reply, 'one two three', "stream $turn of a connection");
}

done($gw, $up);
