#!/usr/bin/perl

# ai_proxy_keepalive_interval: signs of life while the provider is silent, in
# the words of each dialect and between events only.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use JSON::PP ();
use Test::More;

needs_module();

my @events = @{ stream_events('one two three') };
my $claude = claude_events('one two three');
my @gemini = map { { candidates => [{ content => { role => 'model',
    parts => [{ text => $_ }] }, ($_ eq 'three'
        ? (finishReason => 'STOP') : ()) }], usageMetadata => {
    promptTokenCount => 11, candidatesTokenCount => 4,
    totalTokenCount => 15 } } } qw(one two three);
my $up = Upstream->start(
    gate => { events => \@events, gate => 2 },
    claude => { events => $claude, gate => 4 },
    gemini => { events => \@gemini, gate => 1 },
    # An event whose second half is late.
    half => { events => ['raw:data: ' . encode($events[0]) . "\n\n",
        'raw:data: ' . substr(encode($events[1]), 0, 40),
        'raw:' . substr(encode($events[1]), 40) . "\n\n",
        @events[2 .. $#events]], gate => 2 },
    late => { events => \@events, delay => 1 },
    late_claude => { events => $claude, delay => 1 },
    late_error => { status => 500, delay => 0.6,
        json => { error => { message => 'provider is sad' } } },
    plain => { json => chat_answer('not a stream'), delay => 0.6 },
    slow_plain => { json => chat_answer('hi'), delay => 0.6 },
    busy => { events => \@events, pace => 0.1 },
);
my @names = qw(gate claude gemini half late late_claude late_error plain
    slow_plain busy);
my %type = (claude => 'claude', late_claude => 'claude', gemini => 'gemini');
my $http = zone()
    . join('', map { provider($_ => $type{$_} // 'openai', $up->url($_)) }
        @names)
    . provider(through => openai => undef, 'location /through;')
    . "ai_proxy_route then {\n provider late_error;\n fallback late on=5xx;\n}"
    . "\nlog_format e '\$status \$ai_proxy_provider \$ai_proxy_error';\n";
my $gw = Gateway->start(http => $http, access_log => '',
    server => "access_log %%DIR%%/logs/access.log e;\n"
        . "ai_proxy_keepalive_interval 200ms;\n"
        . "location = /through { internal; proxy_buffering off;"
        . ' proxy_pass ' . $up->url('gate') . "/v1/chat/completions; }\n"
        . "location /off/ { ai_proxy_keepalive_interval off;"
        . " location /off/gate/ { ai_proxy_pass gate; } }\n"
        . "location /long/ { ai_proxy_keepalive_interval 20s;"
        . " ai_proxy_pass busy; }\n"
        . join('', map { "location /$_/ { ai_proxy_pass $_; }\n" }
            @names, 'through')
        . join '', map { "location /early/$_/ { ai_proxy_pass $_;"
            . " ai_proxy_keepalive_interval 200ms before_answer; }\n" }
            @names, 'then');

my $count = 0;
my $logged = sub { my @l = $gw->log_lines('access.log', ++$count); $l[-1] };
my %stream = (stream => JSON::PP::true);
my $chat = '/v1/chat/completions';
my $alive = ": keepalive\n\n";
my $ping = "event: ping\ndata: {\"type\": \"ping\"}\n\n";

sub begin {
    my ($where, %fields) = @_;
    return $gw->client->send('POST', "/$where$chat", chat_body(%fields));
}

sub how_often { my ($text, $what) = @_; return scalar(() = $text =~ /\Q$what\E/g) }

###############################################################################

for my $name (qw(gate claude half through)) {
    my $gate = $name eq 'through' ? 'gate' : $name;
    my $client = begin($name, %stream);
    $client->wait(sub { how_often($_[0]{body}, $alive) >= 2 }, 20);
    $up->open_gate($gate);
    my $reply = $client->finish;
    check_stream($reply, 'one two three', "$name: the answer is whole");
    cmp_ok(how_often($reply->{body}, $alive), '>=', 2, "$name: comments came");
    is(scalar(grep { !/^(?:data: .*|: keepalive)\z/s } split /\n\n/,
        $reply->{body}), 0, "$name: between events only");
    like($logged->(), qr/^200 $name -$/, "$name: in the log");
}

my $messages = { model => 'claude-x', max_tokens => 9, %stream,
    messages => [{ role => 'user', content => 'private-prompt hello' }] };
for my $name (qw(claude gate)) {
    my $client = $gw->client->send('POST', "/$name/v1/messages",
        encode($messages));
    $client->wait(sub { how_often($_[0]{body}, $ping) >= 2 }, 20);
    $up->open_gate($name);
    my $reply = $client->finish;
    cmp_ok(how_often($reply->{body}, $ping), '>=', 2,
        "messages, $name: pings came");
    is(how_often($reply->{body}, ': keepalive'), 0,
        "messages, $name: and no comments");
    my $without = $reply->{body} =~ s/\Q$ping\E//gr;
    is(how_often($without, 'event: message_stop'), 1,
        "messages, $name: one end");
    is(join('', map { /"text_delta"/ && /"text":"(\w+ ?)"/ ? $1 : () }
        split /\n\n/, $without), 'one two three', "messages, $name: the text");
    $logged->();
}

my $client = $gw->client->send('POST',
    '/gemini/v1beta/models/gemini-x:streamGenerateContent?alt=sse', encode({
        contents => [{ role => 'user', parts => [{ text => 'hello' }] }] }));
$client->wait(sub { $_[0]{body} =~ /one/ }, 20);
select undef, undef, undef, 0.7;
$up->open_gate('gemini');
my $reply = $client->finish;
like($reply->{body}, qr/three/, 'gemini: the answer is whole');
unlike($reply->{body}, qr/keepalive|ping/, 'gemini: nothing is added');
$logged->();

$client = begin('off/gate', %stream);
$client->wait(sub { $_[0]{body} =~ /two/ }, 20);
select undef, undef, undef, 0.7;
$up->open_gate('gate');
unlike($client->finish->{body}, qr/keepalive/, 'off: nothing is added');
$logged->();

unlike(begin('long', %stream)->finish->{body}, qr/keepalive/,
    'nothing is added before its time');
$logged->();

# Before the answer.

$reply = begin('late', %stream)->finish;
check_stream($reply, 'one two three', 'a late answer');
unlike($reply->{body}, qr/keepalive/, 'nothing comes before it');
$logged->();

check_error(begin('late_error', %stream)->finish, 500, qr/sad/,
    'so an error has its status');
$logged->();

$reply = begin('early/late', %stream)->finish;
like($reply->{body}, qr/^\Q$alive\E/, 'before_answer: a comment is first');
check_stream($reply, 'one two three', 'before_answer: the answer follows');
like($logged->(), qr/^200 late -$/, 'in the log');

$reply = $gw->client->post('/early/late_claude/v1/messages',
    encode($messages));
like($reply->{body}, qr/^\Q$ping\E/, 'before_answer, messages: a ping');
like($reply->{body}, qr/event: message_stop/, 'and the answer');
$logged->();

$reply = begin('early/then', %stream)->finish;
like($reply->{body}, qr/^\Q$alive\E/, 'before_answer: a fallback may follow');
check_stream($reply, 'one two three', 'as long as there was no answer');
like($logged->(), qr/^200 late -$/, 'in the log');

for my $case (['late_error', qr/sad/, 'upstream_status'],
    ['plain', qr/stream/, 'upstream_invalid']) {
    my ($name, $message, $code) = @$case;
    $reply = begin("early/$name", %stream)->finish;
    is($reply->{status}, 200, "before_answer, $name: the stream had begun");
    ok($reply->{complete}, 'its framing is complete');
    my @events = Client::events($reply);
    is(scalar(grep { ref && $_->{error} } @events), 1, 'one error event');
    like($events[-1]{error}{message}, $message, 'that says why');
    unlike($reply->{body}, qr/\[DONE\]/, 'and no [DONE]');
    like($logged->(), qr/^200 $name $code$/, 'in the log');
}
$reply = $gw->client->post('/early/late_error/v1/messages',
    encode($messages));
like($reply->{body}, qr/\nevent: error\ndata: \{"type":"error"[^\n]*sad[^\n]*\n\n\z/,
    'before_answer, messages: the error event of the dialect');
$logged->();

$reply = begin('early/slow_plain')->finish;
is(Client::text($reply), 'hi', 'a plain answer');
is(Client::header($reply, 'Content-Type'), 'application/json', 'stays plain');

done($gw, $up);
