#!/usr/bin/perl

# A client that stops reading: the provider is held back, memory stays
# bounded, nobody else waits, and nothing is lost when it reads on.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Test::More;

needs_module();

# More in all than the buffers of any kernel take.
my $word = 'data: ' . encode(chunk({ content => 'x' x 1000 })) . "\n\n";
my $end = join '', map { 'data: ' . (ref $_ ? encode($_) : $_) . "\n\n" }
    chunk({}, finish => 'stop'), '[DONE]';
my $n = 50_000;
my @claude = map { s/^raw://r } @{ claude_events('one') };
my $claude_word = "event: content_block_delta\ndata: " . encode({
    type => 'content_block_delta', index => 0, delta => {
        type => 'text_delta', text => 'x' x 200 } }) . "\n\n";
my $up = Upstream->start(
    tls => 1,
    flood => { repeat => { text => $word, times => $n, end => $end } },
    plain => { json => chat_answer('hi') },
    warm => { json => chat_answer('hi') },
    secure => { repeat => { text => $word, times => 20 * $n, end => $end } },
    secure_cut => { events => [('raw:' . $word) x 4000], cut => 3900,
        then => 'reset' },
    claude => { repeat => { text => $claude_word, times => 1 } },
);
$up->behave(claude => { events => [map { "raw:$_" } @claude[0, 1],
    ($claude_word) x 5000, @claude[3 .. 5]] });
my $ca = $up->ca;
# What AddressSanitizer keeps of freed memory is not the worker's.
local $ENV{AI_PROXY_ASAN_OPTIONS} = 'quarantine_size_mb=1:';
my $gw = Gateway->start(
    http => zone()
        . provider(flood => openai => $up->url('flood'))
        . provider(plain => openai => $up->url('plain'))
        . provider(claude => claude => $up->url('claude'))
        . join('', map { provider($_ => openai => $up->tls_url($_),
            "ssl_trusted_certificate $ca;") } qw(warm secure secure_cut)),
    server => 'send_timeout 30s;' . join '', map {
        "location /$_/ { ai_proxy_pass $_; }\n" }
        qw(flood plain warm claude secure secure_cut));

my %stream = (stream => JSON::PP::true);
sub begin {
    my ($name) = @_;
    my $client = $gw->client(receive_buffer => 65536, timeout => 60)
        ->send('POST', "/$name/v1/chat/completions", chat_body(%stream));
    $client->wait(sub { $_[0]{body} =~ /xxx/ }, 20);
    return $client;
}

# Warm up: code and pools are in memory before the first figure.
$gw->client->post("/$_/v1/chat/completions", chat_body())
    for ('plain', 'warm') x 5;

for my $name (qw(flood secure)) {
    my $before = $gw->worker_memory;
    my $client = begin($name);
    select undef, undef, undef, 1;
    my $held = $up->last_request($name)->{sent};
    cmp_ok($held, '<', $n, "$name: the provider is held back");
    my $begin = Client::now();
    is(Client::text($gw->client->post('/plain/v1/chat/completions',
        chat_body())), 'hi', 'others are served meanwhile');
    cmp_ok(Client::now() - $begin, '<', 20, 'at once');
    my $grown = $gw->worker_memory - $before;
    cmp_ok($grown, '<', $ENV{AI_PROXY_ASAN} ? 20_000 : 1500,
        "memory stays bounded ($grown KB)");

    if ($name eq 'flood') {
        my $reply = $client->finish;
        ok($reply->{complete}, 'the stream ends when the client reads on');
        my $got = () = $reply->{body} =~ /"content":"x{1000}"/g;
        is($got, $n, 'and nothing is lost');
        $grown = $gw->worker_memory - $before;
        cmp_ok($grown, '<', $ENV{AI_PROXY_ASAN} ? 30_000 : 2000,
            "memory stays bounded to the end ($grown KB)");
    } else {
        $client->reset;
        is($up->wait_outcome($name, 'client_closed', 20)->{outcome},
            'client_closed', 'a client that leaves then frees the provider');
    }
}

my $client = begin('claude');
select undef, undef, undef, 0.5;
my $reply = $client->finish;
my $got = () = $reply->{body} =~ /"content":"x{200}"/g;
is($got, 5000, 'a converted stream loses nothing either');
like($reply->{body}, qr/\[DONE\]\n\n\z/, 'and ends');

# The worker survives a TLS connection that fails under a blocked client.

$client = begin('secure_cut');
select undef, undef, undef, 0.7;
my ($worker) = $gw->workers;
my $cpu = sub { my @f = split ' ', Gateway::slurp("/proc/$worker/stat");
    return $f[13] + $f[14] };
my $used = $cpu->();
select undef, undef, undef, 1;
cmp_ok($cpu->() - $used, '<', 50, 'the worker does not spin');
is(Client::text($gw->client->post('/plain/v1/chat/completions',
    chat_body())), 'hi', 'and serves others');
$reply = $client->finish;
unlike($reply->{body}, qr/\[DONE\]/, 'the cut stream is not made whole');

done($gw, $up);
