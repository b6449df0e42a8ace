#!/usr/bin/perl

# One request, five providers that fail in five ways, the sixth answers; plain
# and streamed.  What leads to a fallback and what does not.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use IO::Socket::INET;
use Test::More;

needs_module();

# A port that refuses: bound, but nobody listens.
my $refuse = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Proto => 'tcp')
    or die $!;
my $refused = 'http://127.0.0.1:' . $refuse->sockport;

my $rate = { status => 429, headers => [['Retry-After', '60']],
    json => { error => { message => 'slow down', type => 'rate_limit_error',
        param => undef, code => 'rate_limit' } } };
my $error_event = 'raw:event: error' . "\ndata: " . encode({ type => 'error',
    error => { type => 'overloaded_error', message => 'Overloaded' } })
    . "\n\n";
my $up = Upstream->start(
    tls => 1,
    rate => $rate,
    rate_now => [{ %$rate, headers => [['Retry-After', '1']] },
        { json => chat_answer('second try') }],
    broken => { status => 500, json => { error => { message => 'boom' } } },
    broken_once => [{ status => 503, json => { error => { message => 'x' } } },
        { json => chat_answer('second try') }],
    stall => { fail => 'stall' },
    reset => { fail => 'reset' },
    garbage => { fail => 'garbage' },
    plain_cut => { json => chat_answer('never whole'), cut => 20 },
    error_200 => { status => 200, json => { error => { message => 'in 200',
        type => 'server_error' } } },
    first_error => { events => [{ error => { message => 'no capacity',
        type => 'server_error' } }] },
    claude_first_error => { events => [$error_event] },
    cut_before => { events => [], cut => 0, framing => 'close' },
    bad_request => { status => 400, json => { error => {
        message => 'too many tokens', type => 'invalid_request_error' } } },
    overloaded => { status => 529, json => { type => 'error', error => {
        type => 'overloaded_error', message => 'Overloaded' } } },
    keys => { status => 401, json => { error => { message => 'bad key' } } },
    ok => { json => chat_answer('sixth') },
    ok_stream => { events => stream_events('sixth answers') },
    claude_ok => { json => claude_answer('from claude') },
    claude_stream => { events => claude_events('from claude') },
);

my $ca = $up->ca;
my $verify = "ssl_trusted_certificate $ca;";
my $http = zone()
    . provider(rate => openai => $up->url('rate'), 'model_map * m-rate;')
    . provider(broken => claude => $up->url('broken'), 'model_map * m-broken;')
    . provider(stall => gemini => $up->url('stall'),
        'timeout first_byte=300ms;', 'model_map * m-stall;')
    . provider(refused => openai => $refused, 'model_map * m-refused;')
    . provider(wrong => openai => $up->wrong_url('ok'), $verify,
        'model_map * m-wrong;')
    . provider(sixth => openai => $up->tls_url('ok'), $verify,
        'model_map * m-sixth;')
    . provider(sixth_stream => openai => $up->tls_url('ok_stream'), $verify,
        'model_map * m-sixth;')
    . provider(claude => claude => $up->url('claude_ok'),
        'model_map * claude-model;')
    . provider(claude_stream => claude => $up->url('claude_stream'),
        'model_map * claude-model;')
    . join('', map { provider($_ => openai => $up->url($_)) }
        qw(reset garbage plain_cut error_200 first_error cut_before
        bad_request overloaded keys broken_once rate_now ok ok_stream))
    . provider(claude_first_error => claude => $up->url('claude_first_error'));

# Each request meets the failures anew.
$http =~ s/(ai_proxy_provider \w+ \{\n)/$1    key_cooldown off;\n/g;

my $chain = join '', map { " fallback $_;\n" } qw(broken stall refused wrong);
$http .= "ai_proxy_route six {\n provider rate;\n$chain fallback sixth;\n}\n"
    . "ai_proxy_route six_stream {\n provider rate;\n$chain"
    . " fallback sixth_stream;\n}\n"
    . "ai_proxy_route all_fail {\n provider rate;\n fallback broken;\n}\n"
    . "ai_proxy_route retry {\n provider broken_once;\n"
    . " retry 2 backoff=20ms..50ms;\n}\n"
    . "ai_proxy_route retry_after {\n provider rate_now;\n"
    . " retry 1 backoff=10ms..20ms;\n}\n"
    . "ai_proxy_route on_400 {\n provider bad_request;\n"
    . " fallback ok on=400;\n}\n"
    . "ai_proxy_route on_429 {\n provider broken;\n fallback ok on=429;\n}\n"
    . "ai_proxy_route model {\n provider broken;\n"
    . " fallback claude model=claude-sonnet-4-5;\n}\n";
for my $first (qw(reset garbage plain_cut error_200 overloaded keys
    bad_request stall refused))
{
    $http .= "ai_proxy_route to_$first {\n provider $first;\n"
        . " fallback ok;\n}\n";
}
for my $first (qw(first_error cut_before claude_first_error rate)) {
    $http .= "ai_proxy_route stream_$first {\n provider $first;\n"
        . " fallback ok_stream;\n}\n";
}
$http .= "log_format tries '\$ai_proxy_route|\$upstream_status|"
    . "\$ai_proxy_tries|\$ai_proxy_provider|\$status|\$ai_proxy_error';\n";

my @routes = $http =~ /ai_proxy_route (\w+)/g;
my $gw = Gateway->start(http => $http, access_log => '',
    server => "access_log %%DIR%%/logs/access.log tries;\n"
        . join('', map { "location /$_/ { ai_proxy_pass $_; }\n" } @routes)
        . "location /short/ { ai_proxy_pass broken;\n"
        . " ai_proxy_fallback claude on=5xx; }\n");

sub chat {
    my ($route, %fields) = @_;
    return $gw->client->post("/$route/v1/chat/completions",
        chat_body(%fields));
}
sub stream { my ($r, %f) = @_; return chat($r, stream => JSON::PP::true, %f) }

my $logged = 0;
sub log_line {
    my @lines = $gw->log_lines('access.log', ++$logged);
    return $lines[-1] // '';
}

###############################################################################

for my $kind (qw(six six_stream)) {
    $up->clear;
    my $reply = $kind eq 'six' ? chat($kind) : stream($kind);
    if ($kind eq 'six') {
        is($reply->{status}, 200, 'five failures, then an answer');
        is(Client::text($reply), 'sixth', 'of the sixth');
    } else {
        check_stream($reply, 'sixth answers',
            'five failures, then the stream of the sixth');
    }
    my @names = map { $_->{name} } $up->requests;
    my $last = $kind eq 'six' ? 'ok' : 'ok_stream';
    is_deeply(\@names, ['rate', 'broken', 'stall', $last],
        'each provider that could be reached was asked once');
    my %by = map { $_->{name} => $_ } $up->requests;
    is(decode($by{rate}{body})->{model}, 'm-rate', 'with its model');
    is($by{broken}{path}, '/v1/messages', 'its URL');
    is(Upstream::header($by{broken}, 'x-api-key'), 'sk-secret-broken',
        'its key');
    like($by{stall}{path}, qr{/models/m-stall:(stream)?[gG]enerateContent},
        'its protocol');
    is(decode($by{$last}{body})->{model}, 'm-sixth', 'the last one too');
    is(decode($by{$last}{body})->{messages}[0]{content},
        'private-prompt hello', "and the client's own words");
    ok($by{$last}{tls}, 'over TLS');
    my (undef, $statuses, $tries, $provider, $status) = split /\|/, log_line();
    is($statuses, '429, 500, 504, 502, 502, 200', '$upstream_status has all');
    my @tries = split /, /, $tries;
    is(scalar @tries, 6, '$ai_proxy_tries too');
    my @order = map { (split /:/)[0] } @tries;
    is_deeply(\@order, [qw(rate broken stall refused wrong),
        $kind eq 'six' ? 'sixth' : 'sixth_stream'], 'in order');
    like($tries[2], qr/timeout_first_byte/, 'with the cause: timeout');
    like($tries[3], qr/upstream_connect/, 'refused');
    like($tries[4], qr/upstream_tls/, 'TLS');
    like($tries[0], qr/429/, 'a status');
    is($status, 200, 'the client saw 200');
}

###############################################################################
# one failure each

my @plain = (
    ['reset', 'a reset'], ['garbage', 'no HTTP'],
    ['plain_cut', 'a body cut short'], ['error_200', 'an error under 200'],
    ['overloaded', '529'], ['stall', 'a timeout'], ['refused', 'refused'],
);
for my $case (@plain) {
    my $reply = chat("to_$case->[0]");
    is($reply->{status}, 200, "$case->[1] falls back");
    is(Client::text($reply), 'sixth', 'to the next provider');
    log_line();
}
for my $case (['keys', 401, qr/bad key/], ['bad_request', 400, qr/too many/]) {
    $up->clear;
    check_error(chat("to_$case->[0]"), $case->[1], $case->[2],
        "$case->[1] does not fall back by itself");
    is(scalar(my @r = $up->requests), 1, 'nobody else was asked');
    log_line();
}
my $reply = chat('on_400');
is(Client::text($reply), 'sixth', 'on=400 makes a 400 fall back');
log_line();
check_error(chat('on_429'), 500, qr/boom/, 'on=429 does not cover a 500');
log_line();

for my $first (qw(first_error cut_before claude_first_error rate)) {
    check_stream(stream("stream_$first"), 'sixth answers',
        "$first: a stream falls back before its first output");
    log_line();
}

# The short form; a model of the target.

$reply = chat('short');
is(Client::text($reply), 'from claude', 'ai_proxy_fallback');
is(decode($up->last_request('claude_ok')->{body})->{model}, 'claude-model',
    'with the model map of the provider');
log_line();
chat('model');
is(decode($up->last_request('claude_ok')->{body})->{model},
    'claude-sonnet-4-5', 'model= of a fallback');
log_line();

# When all fail, the client hears of the last.

$reply = chat('all_fail');
check_error($reply, 500, qr/boom/, 'all failed: the last error');
my $line = log_line();
like($line, qr/\|429, 500\|/, 'both in the log');
like($line, qr/\|upstream_status$/, 'and the cause');

###############################################################################
# retries on the same provider

$up->clear;
$reply = chat('retry');
is(Client::text($reply), 'second try', 'a retry cures a 503');
is(scalar(my @tries = $up->requests('broken_once')), 2, 'with two requests');
like(log_line(), qr/\|503, 200\|broken_once:0:503:\S+, broken_once:0:200:/,
    'both in the log');

$up->clear;
my $begin = Client::now();
$reply = chat('retry_after');
is(Client::text($reply), 'second try', 'a retry after Retry-After');
cmp_ok(Client::now() - $begin, '>=', 0.99, 'waited for as long as it says');

done($gw, $up);
