#!/usr/bin/perl

# A truncated answer never looks complete, however the provider ends it.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Test::More;

needs_module();

my $events = stream_events('one two three');
my $claude = claude_events('one two three');
my %behaviours;
my %type;

# In mid-stream: cut with and without a clean end of the framing.
for my $then (qw(close reset close_clean)) {
    $behaviours{"openai_$then"} = { events => $events, cut => 2,
        then => $then };
    $behaviours{"claude_$then"} = { events => $claude, cut => 4,
        then => $then };
}
# In the middle of an event.
$behaviours{openai_half} = { events => [@$events[0, 1],
    'raw:data: {"choices":[{"ind'], framing => 'close' };
# Connection close is the framing, and the end is missing.
$behaviours{openai_until_close} = { events => [@$events[0, 1]],
    framing => 'close' };
my $answer = encode(chat_answer('whole'));
$behaviours{plain_length} = { body => $answer, cut => 30,
    headers => [['Content-Type', 'application/json']] };
$behaviours{plain_chunked} = { body => $answer, cut => 30,
    framing => 'chunked', headers => [['Content-Type', 'application/json']] };
$behaviours{plain_close} = { body => substr($answer, 0, 30),
    framing => 'close', headers => [['Content-Type', 'application/json']] };
$behaviours{claude_plain} = { body =>
    substr(encode(claude_answer('whole')), 0, 40), framing => 'close',
    headers => [['Content-Type', 'application/json']] };
$behaviours{empty} = { body => '' };
$behaviours{html} = { body => '<html>hello</html>',
    headers => [['Content-Type', 'text/html']] };

my $up = Upstream->start(%behaviours);
my @names = sort keys %behaviours;
my $gw = Gateway->start(
    http => zone() . join('', map {
        provider($_ => (/^claude/ ? 'claude' : 'openai') => $up->url($_))
    } @names) . "log_format e '\$ai_proxy_provider \$status "
        . "\$ai_proxy_error \$ai_proxy_finish_reason';\n",
    access_log => '', server => "access_log %%DIR%%/logs/access.log e;\n"
        . join '', map { "location /$_/ { ai_proxy_pass $_; }\n" } @names);

my $count = 0;
my $logged = sub { my @l = $gw->log_lines('access.log', ++$count); $l[-1] };

for my $name (grep { !/plain|empty|html/ } @names) {
    my $reply = $gw->client->post("/$name/v1/chat/completions",
        chat_body(stream => JSON::PP::true));
    is($reply->{status}, 200, "$name: the stream had begun");
    like(Client::text($reply), qr/^one (two )?$/, "$name: what came is shown");
    my @events = Client::events($reply);
    is(scalar(grep { ref && $_->{error} } @events), 1,
        "$name: one error event");
    ok(ref $events[-1] && $events[-1]{error}, "$name: and it is last");
    unlike($reply->{body}, qr/\[DONE\]/, "$name: no [DONE]");
    unlike($reply->{body}, qr/"finish_reason":\s*"/, "$name: no finish");
    like($logged->(), qr/^$name 200 upstream_\w+ -$/, "$name: in the log");
}

for my $name (grep { /plain|empty|html/ } @names) {
    my $reply = $gw->client->post("/$name/v1/chat/completions", chat_body());
    check_error($reply, 502, undef, "$name: a gateway error");
    unlike($reply->{body}, qr/whole/, "$name: nothing of the answer");
    like($logged->(), qr/^$name 502 upstream_\w+ -$/, "$name: in the log");
}

# The next request is served.

$up->behave(plain_length => { json => chat_answer('again') });
is(Client::text($gw->client->post('/plain_length/v1/chat/completions',
    chat_body())), 'again', 'and all is well after that');

done($gw, $up);
