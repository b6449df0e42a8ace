#!/usr/bin/perl

# Deadlines that look at what comes, not whether something comes: the handshake
# of TLS, the first token, and progress between events.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use IO::Socket::INET;
use Test::More;

needs_module();

my @events = @{ stream_events('one two three four five six seven eight') };
my $role = chunk({ role => 'assistant', content => '' });
my $claude = claude_events('one two three four five six');
my $ping = "raw:event: ping\ndata: {\"type\": \"ping\"}\n\n";
my $comment = 'raw:: still thinking' . "\n\n";

my $up = Upstream->start(
    stall => { fail => 'stall' },
    # Nothing but signs of life, before the answer and in it.
    comments => { events => [($comment) x 200], pace => 0.1 },
    pings => { events => [($ping) x 200], pace => 0.1 },
    frame => { events => [$role, chunk({}), ($comment) x 200], pace => 0.1 },
    claude_frame => { events => [@$claude[0, 1], ($ping) x 200],
        pace => 0.1 },
    two_comments => { events => [@events[0, 1], ($comment) x 200],
        pace => 0.1 },
    claude_two_pings => { events => [@$claude[0 .. 3], ($ping) x 200],
        pace => 0.1 },
    # Longer than it may be idle, all in all.
    steady => { events => [map { ($_, $comment) } @events], pace => 0.25 },
    plain => { delay => 0.8, json => chat_answer('slow but sure') },
    good => { events => \@events },
    # One event of 4,000 bytes that comes in pieces.
    big => { events => [chunk({ content => 'x' x 4000 }), @events[-3 .. -1]],
        split => 400, pace => 0.35 },
);

# It takes connections and never says a word: TLS does not begin.
my $mute = IO::Socket::INET->new(Listen => 20, LocalAddr => '127.0.0.1',
    Proto => 'tcp') or die $!;
my $deaf = 'https://127.0.0.1:' . $mute->sockport;

my $http = zone()
    . provider(tls => openai => $deaf, 'timeout connect=20s tls=300ms;')
    . provider(connect => openai => $deaf, 'timeout connect=300ms;')
    . provider(waits => openai => $up->url('stall'),
        'timeout first_token=300ms;')
    . provider(waits_long => openai => $up->url('stall'),
        'timeout first_byte=1s;')
    . provider(comments => openai => $up->url('comments'),
        'timeout first_token=500ms;')
    . provider(frame => openai => $up->url('frame'),
        'timeout first_token=600ms;')
    . provider(claude_frame => claude => $up->url('claude_frame'),
        'timeout first_token=600ms;')
    . provider(silent => openai => $up->url('comments'),
        'timeout idle=400ms;')
    . provider(two_comments => openai => $up->url('two_comments'),
        'timeout idle=3s;')
    . provider(claude_two_pings => claude => $up->url('claude_two_pings'),
        'timeout idle=3s;')
    . provider(messages_pings => claude => $up->url('claude_two_pings'),
        'timeout idle=3s;')
    . provider(steady => openai => $up->url('steady'),
        'timeout first_token=20s idle=3s;')
    . provider(plain => openai => $up->url('plain'),
        'timeout first_token=300ms;')
    . provider(big => openai => $up->url('big'), 'timeout idle=3s;')
    . provider(good => openai => $up->url('good'))
    . "ai_proxy_route late { provider waits_long; retry 9 on=timeout;\n"
    . " fallback waits_long on=timeout; deadline 2600ms; }\n"
    . "ai_proxy_provider mock { type mock; tokens 20; delay 10s;"
    . " timeout first_token=300ms; }\n"
    . "log_format e '\$ai_proxy_provider \$status \$ai_proxy_error"
    . " \$ai_proxy_tries';\n";
my @names = $http =~ /ai_proxy_provider (\w+) \{/g;
my $gw = Gateway->start(http => $http, access_log => '',
    server => "access_log %%DIR%%/logs/access.log e;\n"
        . "location = /metrics { access_log off; ai_proxy_metrics; }\n"
        . "location /late/ { ai_proxy_pass late; }\n"
        . join('', map { "location /$_/ { ai_proxy_pass $_; }\n" } @names)
        . join '', map { "location /then_$_/ { ai_proxy_pass $_;"
            . " ai_proxy_fallback good on=timeout; }\n" } @names);

my $count = 0;
my $logged = sub { my @l = $gw->log_lines('access.log', ++$count); $l[-1] };
my %stream = (stream => JSON::PP::true);

sub chat {
    my ($name, %fields) = @_;
    my $begin = Client::now();
    my $reply = $gw->client->post("/$name/v1/chat/completions",
        chat_body(%fields));
    cmp_ok(Client::now() - $begin, '<', 15, "$name: in time");
    return $reply;
}

# Broken off after it has begun: what came, one error event, no end.
sub check_broken {
    my ($reply, $text, $name) = @_;
    is($reply->{status}, 200, "$name: the stream had begun");
    is(Client::text($reply), $text, "$name: what came was shown");
    is(scalar(grep { ref && $_->{error} } Client::events($reply)), 1,
        "$name: one error event");
    unlike($reply->{body}, qr/\[DONE\]/, "$name: and no [DONE]");
}

###############################################################################

check_error(chat('tls'), 504, undef, 'TLS that does not begin');
like($logged->(), qr/^tls 504 timeout_tls /, 'has a code of its own');
check_error(chat('connect'), 504, undef, 'without a time for TLS');
like($logged->(), qr/^connect 504 timeout_connect /,
    'the handshake belongs to connecting');
check_stream(chat('then_tls', %stream), undef, 'TLS: a fallback follows');
like($logged->(), qr/^good 200 - tls:0:timeout_tls:/, 'and is logged');

for my $name (qw(waits comments frame claude_frame mock)) {
    check_error(chat($name, %stream), 504, undef,
        "$name: no token and no output yet");
    like($logged->(), qr/^$name 504 timeout_first_token /, 'in the log');
    check_stream(chat("then_$name", %stream), undef,
        "$name: a fallback follows");
    like($logged->(), qr/^good 200 - /, 'and is logged');
}
is($up->wait_outcome('comments', 'client_closed')->{outcome},
    'client_closed', 'the provider connection is closed');


my $reply = chat('plain');
is(Client::text($reply), 'slow but sure', 'a plain answer has no first token');
$logged->();

check_error(chat('silent', %stream), 504, undef,
    'comments are no progress before the answer');
like($logged->(), qr/^silent 504 timeout_idle /, 'in the log');
check_stream(chat('then_silent', %stream), undef, 'a fallback follows');
$logged->();
check_broken(chat('two_comments', %stream), 'one two ', 'comments');
like($logged->(), qr/^two_comments 200 timeout_idle /, 'in the log');
check_broken(chat('claude_two_pings', %stream), 'one two ', 'pings');
like($logged->(), qr/^claude_two_pings 200 timeout_idle /, 'in the log');

$reply = $gw->client->post('/messages_pings/v1/messages', encode({
    model => 'claude-x', max_tokens => 9, stream => JSON::PP::true,
    messages => [{ role => 'user', content => 'private-prompt hello' }] }));
is(scalar(() = $reply->{body} =~ /^event: error$/mg), 1,
    'pings in a relayed stream of Messages: one error event');
unlike($reply->{body}, qr/message_stop/, 'and no end of the message');
like($logged->(), qr/^messages_pings 200 timeout_idle /, 'in the log');

check_stream(chat('steady', %stream), 'one two three four five six seven '
    . 'eight', 'a stream with tokens in time is not cut');
$logged->();
check_stream(chat('big', %stream), undef,
    'an event that comes in pieces is progress');
$logged->();

my $begin = Client::now();
check_error(chat('late'), 504, undef, 'a deadline over all tries');
cmp_ok(Client::now() - $begin, '<', 15, 'in time');
my $line = $logged->();
like($line, qr/^waits_long 504 timeout_(?:total|first_byte) /, 'in the log');
my @tries = $line =~ /waits_long:0:/g;
ok(@tries >= 1 && @tries <= 3, 'tries within it: ' . @tries);

my $metrics = $gw->client->get('/metrics')->{body};
like($metrics, qr/^ai_proxy_errors_total\{[^}]*provider="$_->[0]"[^}]*
    cause="$_->[1]"\}\ 1$/mx, "metric of $_->[1]")
    for ['tls', 'timeout_tls'], ['frame', 'timeout_first_token'],
        ['silent', 'timeout_idle'];

done($gw, $up);
